package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A TCP relay whose sockets lose packets: a socket filter of the kernel drops a share of the segments that arrive, so that their
// senders send them again. Unlike netem this needs no kernel module, and on most kernels no root. SIGUSR1: it loses all of them.
// SIGUSR2: it loses its share again.
type lossyRelay struct {
	lock    sync.Mutex
	percent int
	sockets map[syscall.RawConn]struct{}
}

func startRelay(target int, percent int) error {
	config := net.ListenConfig{}
	config.SetMultipathTCP(false) // Such sockets take no filters.
	listener, err := config.Listen(context.Background(), "tcp4", "127.0.0.1:0")
	if err != nil {
		return err
	}
	relay := &lossyRelay{percent: percent, sockets: map[syscall.RawConn]struct{}{}}
	if err := relay.add(listener.(*net.TCPListener)); err != nil {
		return err
	}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, unix.SIGUSR1, unix.SIGUSR2)
	go func() {
		for received := range signals {
			now := percent
			if received == unix.SIGUSR1 {
				now = 100
			}
			relay.setLoss(now)
			say("losing", map[string]any{"count": now})
		}
	}()
	go relay.reportLosses()
	say("listening", map[string]any{"address": fmt.Sprintf("/ip4/127.0.0.1/tcp/%d", listener.Addr().(*net.TCPAddr).Port)})
	go func() {
		for {
			near, err := listener.Accept()
			if err != nil {
				return
			}
			go relay.join(near.(*net.TCPConn), fmt.Sprintf("127.0.0.1:%d", target))
		}
	}()
	return nil
}

func (relay *lossyRelay) join(near *net.TCPConn, target string) {
	defer near.Close()
	dialled, err := net.Dial("tcp4", target)
	if err != nil {
		return
	}
	far := dialled.(*net.TCPConn)
	defer far.Close()
	if err := errors.Join(relay.add(near), relay.add(far)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return
	}
	ended := make(chan struct{}, 2)
	for _, pair := range [][2]*net.TCPConn{{near, far}, {far, near}} {
		go func(from, to *net.TCPConn) {
			_, _ = io.Copy(to, from)
			ended <- struct{}{}
		}(pair[0], pair[1])
	}
	<-ended
}

func (relay *lossyRelay) add(socket syscall.Conn) error {
	raw, err := socket.SyscallConn()
	if err != nil {
		return err
	}
	relay.lock.Lock()
	defer relay.lock.Unlock()
	relay.sockets[raw] = struct{}{}
	return attach(raw, relay.percent)
}

func (relay *lossyRelay) setLoss(percent int) {
	relay.lock.Lock()
	defer relay.lock.Unlock()
	relay.percent = percent
	for raw := range relay.sockets {
		if attach(raw, percent) != nil {
			delete(relay.sockets, raw) // It is closed.
		}
	}
}

// reportLosses says how many packets the filters have dropped.
func (relay *lossyRelay) reportLosses() {
	for reported := uint32(0); ; time.Sleep(time.Second) {
		sum := uint32(0)
		relay.lock.Lock()
		for raw := range relay.sockets {
			_ = raw.Control(func(fd uintptr) { sum += dropsOf(fd) })
		}
		relay.lock.Unlock()
		if sum > reported {
			reported = sum
			say("lost", map[string]any{"count": sum})
		}
	}
}

func dropsOf(fd uintptr) uint32 {
	const drops = 8 // SK_MEMINFO_DROPS
	var info [9]uint32
	size := uint32(unsafe.Sizeof(info))
	_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, fd, unix.SOL_SOCKET, unix.SO_MEMINFO,
		uintptr(unsafe.Pointer(&info)), uintptr(unsafe.Pointer(&size)), 0)
	if errno != 0 {
		return 0
	}
	return info[drops]
}

// attach replaces the filter of the socket. A filter returns how much of the packet to keep.
func attach(raw syscall.RawConn, percent int) error {
	const random = 0xfffff000 + 56 // SKF_AD_OFF + SKF_AD_RANDOM
	threshold := uint32(uint64(percent) * (1<<32 - 1) / 100)
	filter := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: random},
		{Code: unix.BPF_JMP | unix.BPF_JGE | unix.BPF_K, Jt: 0, Jf: 1, K: threshold},
		{Code: unix.BPF_RET | unix.BPF_K, K: 0xffffffff},
		{Code: unix.BPF_RET | unix.BPF_K, K: 0},
	}
	program := &unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	var failure error
	err := raw.Control(func(fd uintptr) {
		failure = unix.SetsockoptSockFprog(int(fd), unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, program)
	})
	return errors.Join(err, failure)
}
