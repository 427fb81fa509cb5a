package cli

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"sync"

	"github.com/kinpass/kinpass/internal/tlog"
	"github.com/kinpass/kinpass/internal/trust"
	"github.com/kinpass/kinpass/internal/vc"
	"github.com/kinpass/kinpass/issuer"
)

// onlookerOperators run the witnesses of the demonstration. In earnest these are
// people who can tell the issuer no.
var onlookerOperators = []string{"Ombudsman (demonstration)", "University (demonstration)"}

// onlookerQuorum is how many of them the demonstration's trust list demands.
const onlookerQuorum = 2

// onlooker is a witness of the demonstration, in this process, with a key and a
// directory of its own.
type onlooker struct {
	issuer.LedgerWitness
	operator string
}

// startOnlookers brings the witnesses up. They follow what the trust list names.
func (d *demo) startOnlookers(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	d.stopOnlookers = func() { cancel(); running.Wait() }
	for n, operator := range onlookerOperators {
		h := &home{dir: d.home.path(fmt.Sprintf("%s-%d", witnessName, n+1))}
		info, err := h.initWitness(fmt.Sprintf("localhost/witness-%d", n+1))
		if err != nil {
			return err
		}
		source := &trustSource{home: d.home, clock: now}
		w, err := h.openWitness(ctx, source.ledger, d.log)
		if err != nil {
			return err
		}
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			w.Close()
			return err
		}
		running.Go(func() {
			defer w.Close()
			if err := w.Serve(ctx, l); err != nil && err != http.ErrServerClosed {
				d.log.Error("a witness stopped", "witness", info.Name)
			}
		})
		self, err := tlog.ParseVerifier(info.Verifier)
		if err != nil {
			return err
		}
		d.onlookers = append(d.onlookers, onlooker{issuer.LedgerWitness{Name: info.Name, URL: "http://" + l.Addr().String(), Key: self.PublicKey()}, operator})
	}
	return nil
}

// watch puts the witnesses of the issuer's ledger on the trust list.
func (d *demo) watch(l *vc.TrustList) error {
	for _, o := range d.onlookers {
		if err := trust.AddWitness(l, o.Name, o.operator, o.Key); err != nil && !errors.Is(err, trust.ErrExists) {
			return err
		}
	}
	return trust.SetQuorum(l, onlookerQuorum)
}

// watched reports whether the list names the ledger and its witnesses.
func (d *demo) watched(l *vc.TrustList) bool {
	p, err := l.LedgerPolicy(d.issuer.issuer.DID())
	return err == nil && p.Quorum == onlookerQuorum && len(p.Witnesses) == len(d.onlookers) &&
		!slices.ContainsFunc(d.onlookers, func(o onlooker) bool {
			want := tlog.WitnessVerifier(o.Name, o.Key).String()
			return !slices.ContainsFunc(p.Witnesses, func(v tlog.Verifier) bool { return v.String() == want })
		})
}
