package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/protocol/ping"
	"github.com/multiformats/go-multiaddr"
)

// dial sends to the target, again and again with -redial.
func dial(node host.Host, target string) {
	for {
		if err := sendTo(node, target); err != nil {
			say("dial_failed", map[string]any{"error": err.Error()})
		}
		if *redial == 0 {
			return
		}
		time.Sleep(*redial)
	}
}

// sendTo is the dialling side.
func sendTo(node host.Host, text string) error {
	address, err := multiaddr.NewMultiaddr(text)
	if err != nil {
		return err
	}
	info, err := peer.AddrInfoFromP2pAddr(address)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := node.Connect(ctx, *info); err != nil {
		return err
	}
	switch *send {
	case "pings":
		return pings(node, info.ID)
	case "one-shot":
		for {
			if err := oneShot(node, info.ID); err != nil {
				say("send_failed", map[string]any{"error": err.Error()})
			}
			time.Sleep(300 * time.Millisecond)
		}
	default:
		return heartbeats(node, info.ID)
	}
}

func write(node host.Host, stream network.Stream) error {
	beat := heartbeat{Name: "go", DID: "did:go", PeerID: node.ID().String(), Timestamp: time.Now().Unix()}
	return json.NewEncoder(stream).Encode(beat)
}

func open(node host.Host, remote peer.ID) (network.Stream, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return node.NewStream(ctx, remote, heartbeatProtocol)
}

// heartbeats sends them while the stream is open.
func heartbeats(node host.Host, remote peer.ID) error {
	stream, err := open(node, remote)
	if err != nil {
		return err
	}
	defer stream.Reset()
	ended := make(chan struct{})
	go func() {
		_, err := io.Copy(io.Discard, stream) // The reader never writes; this only detects the end.
		say("far_end_closed", map[string]any{"error": fmt.Sprint(err)})
		close(ended)
	}()
	for count := 1; ; count++ {
		if err := write(node, stream); err != nil {
			say("send_failed", map[string]any{"error": err.Error()})
			return nil
		}
		say("sent", map[string]any{"count": count})
		select {
		case <-ended:
			return nil
		case <-time.After(period):
		}
	}
}

func oneShot(node host.Host, remote peer.ID) error {
	stream, err := open(node, remote)
	if err != nil {
		return err
	}
	defer stream.Close()
	return write(node, stream)
}

// pings uses one stream, as go-libp2p's ping client does.
func pings(node host.Host, remote peer.ID) error {
	started := time.Now()
	count := 0
	for result := range ping.Ping(context.Background(), node, remote) {
		if result.Error != nil {
			return result.Error
		}
		count++
		say("ping", map[string]any{"count": count, "ms": time.Since(started).Milliseconds()})
		time.Sleep(500 * time.Millisecond)
	}
	return nil
}
