//go:build !linux

package main

import "errors"

func startRelay(int, int) error {
	return errors.New("the relay needs the socket filters of Linux")
}
