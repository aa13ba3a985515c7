// A partner written with go-libp2p, like most far ends of oc-partnerd. It implements both sides of the partner protocol and
// reports events on standard output, one JSON object per line:
//
//	go-partner               listens, challenges peers that send heartbeats, keeps 10 s leases
//	go-partner MULTIADDR     also dials that partner and heartbeats to it
package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	mrand "math/rand"
	"os"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/multiformats/go-multiaddr"
)

const (
	heartbeatProtocol = protocol.ID("/opencloud/resource/heartbeat/partner/1.0")
	probeProtocol     = protocol.ID("/opencloud/probe/1.0")
	lease             = 10 * time.Second
	period            = 3 * time.Second
)

type heartbeat struct {
	Name      string
	DID       string
	PeerID    string
	Timestamp int64
}

func say(event string, fields map[string]any) {
	fields["event"] = event
	_ = json.NewEncoder(os.Stdout).Encode(fields)
}

func main() {
	node, err := libp2p.New(libp2p.ListenAddrStrings("/ip4/127.0.0.1/tcp/0"))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	defer node.Close()
	node.SetStreamHandler(heartbeatProtocol, func(stream network.Stream) { receive(node, stream) })
	node.SetStreamHandler(probeProtocol, echo)
	say("listening", map[string]any{"address": fmt.Sprintf("%s/p2p/%s", node.Addrs()[0], node.ID())})

	if len(os.Args) > 1 {
		if err := heartbeatTo(node, os.Args[1]); err != nil {
			say("dial_failed", map[string]any{"error": err.Error()})
		}
	}
	_, _ = io.Copy(io.Discard, os.Stdin) // Exits with its parent process.
}

// receive is the dialled side: a heartbeat, the challenge, then heartbeats until the lease expires.
func receive(node host.Host, stream network.Stream) {
	remote := stream.Conn().RemotePeer()
	decoder := json.NewDecoder(stream)
	_ = stream.SetReadDeadline(time.Now().Add(lease))
	var beat heartbeat
	if err := decoder.Decode(&beat); err != nil || beat.PeerID != remote.String() {
		say("refused", map[string]any{"peer": remote.String(), "claimed": beat.PeerID, "error": fmt.Sprint(err)})
		_ = stream.Reset()
		return
	}
	if err := challenge(node, remote); err != nil {
		say("challenge_failed", map[string]any{"peer": remote.String(), "error": err.Error()})
		_ = stream.Reset()
		return
	}
	say("registered", map[string]any{"peer": remote.String(), "name": beat.Name, "did": beat.DID})
	for count := 1; ; count++ {
		say("heartbeat", map[string]any{"peer": remote.String(), "count": count})
		_ = stream.SetReadDeadline(time.Now().Add(lease))
		if err := decoder.Decode(&beat); err != nil {
			say("ended", map[string]any{"peer": remote.String(), "error": err.Error()})
			_ = stream.Reset()
			return
		}
	}
}

func challenge(node host.Host, remote peer.ID) error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	stream, err := node.NewStream(ctx, remote, probeProtocol)
	if err != nil {
		return err
	}
	defer stream.Close()
	payload := make([]byte, 512+mrand.Intn(1537))
	if _, err := rand.Read(payload); err != nil {
		return err
	}
	_ = stream.SetDeadline(time.Now().Add(5 * time.Second))
	if _, err := stream.Write(payload); err != nil {
		return err
	}
	if err := stream.CloseWrite(); err != nil {
		return err
	}
	answer, err := io.ReadAll(stream)
	if err != nil {
		return err
	}
	if !bytes.Equal(answer, payload) {
		return fmt.Errorf("got %d bytes back, expected the same %d", len(answer), len(payload))
	}
	return nil
}

func echo(stream network.Stream) {
	defer stream.Close()
	count, err := io.Copy(stream, io.LimitReader(stream, 64*1024))
	say("echoed", map[string]any{"bytes": count, "ok": err == nil})
}

// heartbeatTo is the dialling side: it sends heartbeats while the stream is open.
func heartbeatTo(node host.Host, text string) error {
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
	stream, err := node.NewStream(ctx, info.ID, heartbeatProtocol)
	if err != nil {
		return err
	}
	encoder := json.NewEncoder(stream)
	go func() {
		for {
			beat := heartbeat{Name: "go", DID: "did:go", PeerID: node.ID().String(), Timestamp: time.Now().Unix()}
			if err := encoder.Encode(beat); err != nil {
				say("send_failed", map[string]any{"error": err.Error()})
				return
			}
			time.Sleep(period)
		}
	}()
	go func() {
		_, err := io.Copy(io.Discard, stream) // The reader never writes; this only detects the end.
		say("far_end_closed", map[string]any{"error": fmt.Sprint(err)})
	}()
	return nil
}
