package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	mrand "math/rand"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
)

// A reader without tags, as most Go programs have: encoding/json matches names in any letter case.
type heartbeat struct {
	Name      string
	DID       string
	PeerID    string
	Timestamp int64
}

type snakeHeartbeat struct {
	Name      string `json:"name"`
	DID       string `json:"did"`
	PeerID    string `json:"peer_id"`
	Timestamp int64  `json:"timestamp"`
}

// receive is the dialled side: a heartbeat, the challenge, then heartbeats until the lease expires.
func receive(node host.Host, stream network.Stream) {
	remote := stream.Conn().RemotePeer()
	decoder := json.NewDecoder(stream)
	if *accept == "go" || *accept == "snake" {
		decoder.DisallowUnknownFields()
	}
	beat, err := read(stream, decoder)
	if err == nil {
		err = check(beat, remote)
	}
	if err != nil {
		say("refused", map[string]any{"peer": remote.String(), "error": err.Error()})
		_ = stream.Reset()
		return
	}
	if *accept == "reset" {
		time.Sleep(500 * time.Millisecond) // Looks the sender up, and does not know it.
		say("unknown", map[string]any{"peer": remote.String()})
		_ = stream.Reset()
		return
	}
	if err := challenge(node, remote); err != nil {
		say("challenge_failed", map[string]any{"peer": remote.String(), "error": err.Error()})
		_ = stream.Reset()
		return
	}
	say("registered", map[string]any{"peer": remote.String(), "name": len(beat.Name), "did": beat.DID})
	if *accept == "hang" {
		return // The stream stays open, and nothing reads it.
	}
	for count := 1; ; count++ {
		say("heartbeat", map[string]any{"peer": remote.String(), "count": count})
		if *accept == "answer" {
			_, _ = stream.Write(bytes.Repeat([]byte("{\"ok\":true}\n"), 1000))
		}
		if _, err := read(stream, decoder); err != nil {
			say("ended", map[string]any{"peer": remote.String(), "error": err.Error()})
			_ = stream.Reset()
			return
		}
	}
}

func read(stream network.Stream, decoder *json.Decoder) (heartbeat, error) {
	_ = stream.SetReadDeadline(time.Now().Add(lease))
	if *accept == "snake" {
		var beat snakeHeartbeat
		err := decoder.Decode(&beat)
		return heartbeat(beat), err
	}
	var beat heartbeat
	err := decoder.Decode(&beat)
	return beat, err
}

func check(beat heartbeat, remote peer.ID) error {
	if beat.PeerID != remote.String() {
		return fmt.Errorf("%s claims to be %s", remote, beat.PeerID)
	}
	age := time.Since(time.Unix(beat.Timestamp, 0))
	if *unixNano {
		age = time.Since(time.Unix(0, beat.Timestamp))
	}
	if age < -time.Minute || age > time.Minute {
		return fmt.Errorf("the heartbeat is %s old", age)
	}
	return nil
}

// challenge writes everything before it reads.
func challenge(node host.Host, remote peer.ID) error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	stream, err := node.NewStream(ctx, remote, probeProtocol)
	if err != nil {
		return err
	}
	defer stream.Close()
	size := *probe
	if size == 0 {
		size = 512 + mrand.Intn(1537)
	}
	payload := make([]byte, size)
	if _, err := rand.Read(payload); err != nil {
		return err
	}
	_ = stream.SetDeadline(time.Now().Add(30 * time.Second))
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
