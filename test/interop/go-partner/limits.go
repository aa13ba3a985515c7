package main

import (
	"flag"
	"fmt"
	"strings"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	rcmgr "github.com/libp2p/go-libp2p/p2p/host/resource-manager"
	"github.com/libp2p/go-libp2p/p2p/net/connmgr"
)

var (
	maxConns   = flag.Int("max-conns", 0, "limit of inbound connections (0: the library's limits)")
	maxStreams = flag.String("max-streams", "", "limit of inbound streams of a protocol: heartbeat=N or probe=N (N = 0: none)")
	keepPeers  = flag.Int("keep-peers", 0, "connections that the connection manager keeps; it closes more after 3 s (0: all)")
	trims      = flag.String("trims", "", "PeerID whose connection the connection manager closes first")
	protects   = flag.String("protects", "", "PeerID whose connection it never closes")
)

// limitOptions: the resource manager refuses, the connection manager accepts and closes later.
func limitOptions() ([]libp2p.Option, error) {
	var options []libp2p.Option
	limits := rcmgr.PartialLimitConfig{}
	if *maxConns > 0 {
		limits.System.ConnsInbound = rcmgr.LimitVal(*maxConns)
	}
	if *maxStreams != "" {
		name, limit, err := streamLimit(*maxStreams)
		if err != nil {
			return nil, err
		}
		limits.Protocol = map[protocol.ID]rcmgr.ResourceLimits{name: {StreamsInbound: limit}}
	}
	if *maxConns > 0 || *maxStreams != "" {
		manager, err := rcmgr.NewResourceManager(rcmgr.NewFixedLimiter(limits.Build(rcmgr.DefaultLimits.AutoScale())))
		if err != nil {
			return nil, err
		}
		options = append(options, libp2p.ResourceManager(manager))
	}
	if *keepPeers > 0 {
		timing := []connmgr.Option{connmgr.WithGracePeriod(3 * time.Second), connmgr.WithSilencePeriod(time.Second)}
		manager, err := connmgr.NewConnManager(*keepPeers, *keepPeers, timing...)
		if err != nil {
			return nil, err
		}
		options = append(options, libp2p.ConnectionManager(manager))
	}
	return options, nil
}

func streamLimit(text string) (protocol.ID, rcmgr.LimitVal, error) {
	var count int
	name, number, _ := strings.Cut(text, "=")
	id, ok := map[string]protocol.ID{"heartbeat": heartbeatProtocol, "probe": probeProtocol}[name]
	if _, err := fmt.Sscan(number, &count); err != nil || !ok {
		return "", 0, fmt.Errorf("-max-streams %s: expected heartbeat=N or probe=N", text)
	}
	if count == 0 {
		return id, rcmgr.BlockAllLimit, nil
	}
	return id, rcmgr.LimitVal(count), nil
}

// valuePeers tells the connection manager what -trims and -protects say. It forgets the value of a peer with its last connection.
func valuePeers(node host.Host) error {
	if *protects != "" {
		id, err := peer.Decode(*protects)
		if err != nil {
			return err
		}
		node.ConnManager().Protect(id, "partner")
	}
	if *trims == "" {
		return nil
	}
	id, err := peer.Decode(*trims)
	if err != nil {
		return err
	}
	node.Network().Notify(&network.NotifyBundle{
		ConnectedF: func(_ network.Network, conn network.Conn) {
			if conn.RemotePeer() == id {
				node.ConnManager().TagPeer(id, "expendable", -100)
			}
		},
		DisconnectedF: func(_ network.Network, conn network.Conn) {
			say("disconnected", map[string]any{"peer": conn.RemotePeer().String()})
		},
	})
	return nil
}
