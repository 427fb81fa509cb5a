package cli

import (
	"context"
	"fmt"
	"os"

	"github.com/kinpass/kinpass/internal/audit"
	"github.com/kinpass/kinpass/internal/mirror"
	"github.com/kinpass/kinpass/verifier/check"
)

// hubBundles gives what the hubs that are named tell posts of one issuer's lists:
// the bundle in a file, or the newest of a mirror. It may be as old as it likes; it
// is of the past in any case.
func (o *auditOptions) hubBundles(ctx context.Context, did string) ([]audit.Bundle, error) {
	anchors, err := o.home.anchors(o.anchor)
	if err != nil {
		return nil, err
	}
	if o.have == nil {
		o.have = map[string]*check.Bundle{}
	}
	var out []audit.Bundle
	for _, from := range o.bundles {
		open := func(data []byte) error {
			b, err := check.Open(data, anchors)
			if err == nil {
				o.have[from] = b
			}
			return err
		}
		if info, err := os.Stat(from); err == nil && info.Mode().IsRegular() {
			data, err := readBundleFile(from)
			if err == nil {
				err = open(data)
			}
			if err != nil {
				return nil, err
			}
		} else {
			f := &mirror.Fetcher{Mirrors: []string{from}, Accept: open}
			if b := o.have[from]; b != nil {
				f.Have = b.File()
			}
			if _, err := f.Fetch(ctx); err != nil {
				return nil, err
			}
		}
		out = append(out, hubBundle(o.have[from], from, did))
	}
	return out, nil
}

// hubBundle is what a bundle says of an issuer's own lists.
func hubBundle(b *check.Bundle, from, did string) audit.Bundle {
	out := audit.Bundle{Hub: b.Hub, From: fmt.Sprintf("%s, number %d", from, b.Sequence)}
	for _, l := range b.Lists() {
		if l.Issuer == did && l.About == l.Address {
			out.Lists = append(out.Lists, audit.BundleList{Address: l.Address, Purpose: l.Purpose, From: l.From, Lifted: l.Lifted, Places: l.Places()})
		}
	}
	return out
}
