// A partner written with go-libp2p, like most far ends of oc-partnerd. It implements both sides of the partner protocol, behaves as its
// flags say, and reports events on standard output, one JSON object per line.
//
//	go-partner [flags]               listens, challenges peers that send heartbeats, keeps 10 s leases
//	go-partner [flags] MULTIADDR     also dials that partner and sends heartbeats to it
//	go-partner -relay PORT           relays to that port, and loses packets (relay_linux.go)
package main

import (
	"crypto/rand"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/pnet"
	"github.com/libp2p/go-libp2p/core/protocol"
)

const (
	heartbeatProtocol = protocol.ID("/opencloud/resource/heartbeat/partner/1.0")
	probeProtocol     = protocol.ID("/opencloud/probe/1.0")
	lease             = 10 * time.Second
	period            = 3 * time.Second
)

var (
	keyType  = flag.String("key", "ed25519", "identity: ed25519, secp256k1, rsa or ecdsa")
	keyFile  = flag.String("key-file", "", "identity to read, or to create if it is missing")
	listen   = flag.String("listen", "/ip4/127.0.0.1/tcp/0", "multiaddr to listen on")
	pskFile  = flag.String("psk", "", "swarm key of a private network")
	noProbe  = flag.Bool("no-probe", false, "do not serve the probe protocol")
	accept   = flag.String("accept", "yes", "what to do with heartbeats: yes, reset, hang, answer, go or snake (strict readers)")
	unixNano = flag.Bool("unixnano", false, "timestamps are in nanoseconds")
	probe    = flag.Int("challenge", 0, "bytes of our challenge (0: 512 to 2,048)")
	send     = flag.String("send", "heartbeats", "what to send when dialling: heartbeats, one-shot, pings")
	redial   = flag.Duration("redial", 0, "dial again so long after a stream has ended, or a dial has failed (0: never)")
	relay    = flag.Int("relay", 0, "be a relay to this port of 127.0.0.1 instead of a partner")
	loss     = flag.Int("loss", 0, "percentage of the packets that the relay loses")
)

var output sync.Mutex

func say(event string, fields map[string]any) {
	output.Lock()
	defer output.Unlock()
	fields["event"] = event
	_ = json.NewEncoder(os.Stdout).Encode(fields)
}

func main() {
	flag.Parse()
	if *relay != 0 {
		if err := startRelay(*relay, *loss); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		_, _ = io.Copy(io.Discard, os.Stdin)
		return
	}
	node, err := start()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	defer node.Close()
	node.SetStreamHandler(heartbeatProtocol, func(stream network.Stream) { receive(node, stream) })
	if !*noProbe {
		node.SetStreamHandler(probeProtocol, echo)
	}
	if err := valuePeers(node); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	say("listening", map[string]any{"address": fmt.Sprintf("%s/p2p/%s", node.Addrs()[0], node.ID())})
	if target := flag.Arg(0); target != "" {
		go dial(node, target)
	}
	_, _ = io.Copy(io.Discard, os.Stdin) // Exits with its parent process.
}

func start() (host.Host, error) {
	key, err := identity()
	if err != nil {
		return nil, err
	}
	options := []libp2p.Option{libp2p.ListenAddrStrings(*listen), libp2p.Identity(key)}
	if *pskFile != "" {
		file, err := os.Open(*pskFile)
		if err != nil {
			return nil, err
		}
		psk, err := pnet.DecodeV1PSK(file)
		if err != nil {
			return nil, err
		}
		options = append(options, libp2p.PrivateNetwork(psk))
	}
	limits, err := limitOptions()
	if err != nil {
		return nil, err
	}
	options = append(options, limits...)
	return libp2p.New(options...)
}

func identity() (crypto.PrivKey, error) {
	if bytes, err := os.ReadFile(*keyFile); err == nil {
		return crypto.UnmarshalPrivateKey(bytes)
	}
	types := map[string]int{"ed25519": crypto.Ed25519, "secp256k1": crypto.Secp256k1, "rsa": crypto.RSA, "ecdsa": crypto.ECDSA}
	kind, ok := types[*keyType]
	if !ok {
		return nil, fmt.Errorf("unknown key type %s", *keyType)
	}
	key, _, err := crypto.GenerateKeyPairWithReader(kind, 2048, rand.Reader)
	if err != nil || *keyFile == "" {
		return key, err
	}
	bytes, err := crypto.MarshalPrivateKey(key)
	if err != nil {
		return nil, err
	}
	return key, os.WriteFile(*keyFile, bytes, 0o600)
}
