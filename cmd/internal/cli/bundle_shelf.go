package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/verifier/check"
)

// Faults of comparing a bundle with the issuers' own lists.
var (
	errHubWrong = fault.New(fault.Unprocessable, "hub-wrong", "the bundle says something else than the lists that the issuers signed").
			WithHint("keep the bundle and the lists: together they prove it; take the hub off the trust list")
	// Without the evidence it may have been the issuer, who signed two lists of one
	// second: nobody is accused.
	errListsDiffer = fault.New(fault.Unprocessable, "lists-differ", "lists of the same time say something else than the bundle, and are not those that the hub used").
			WithHint("ask the hub for the lists that it used; an issuer that publishes at fixed times signs one list for each")
	errNotCompared = fault.New(fault.Unavailable, "lists-not-compared", "not every list could be compared").
			WithHint("they were published anew since the bundle was built, or cannot be read; fetch a newer bundle, or name kept lists with --lists")
)

// Bounds of what is fetched from a shelf.
const (
	maxShelfList = 8 << 20
	shelfTime    = 30 * time.Second
)

// shelfResult is what came of comparing a bundle with one issuer's own lists.
type shelfResult struct {
	Issuer       string   `json:"issuer"`
	Same         int      `json:"same"`         // lists that say what the bundle says
	Other        int      `json:"other"`        // lists of another time: they prove nothing
	Missing      int      `json:"missing"`      // lists of the bundle that could not be had
	Contradicted []string `json:"contradicted"` // addresses of lists of the same time that say something else
	// Lifted are addresses of lists that took revocations back, says the hub: there
	// they stay revoked in the bundle.
	Lifted []string `json:"lifted"`
	// Evidence: these are the very lists that the hub had before it.
	Evidence bool `json:"evidence"`
}

func (r *shelfResult) print(w io.Writer) {
	fmt.Fprintf(w, "%s: %d lists say what the bundle says, %d are of another time, %d could not be had, %d say something else\n",
		visible(r.Issuer), r.Same, r.Other, r.Missing, len(r.Contradicted))
	for _, a := range r.Contradicted {
		word := "WRONG"
		if !r.Evidence {
			word = "differs"
		}
		fmt.Fprintf(w, "  %s %s\n", word, visible(a))
	}
	for _, a := range r.Lifted {
		fmt.Fprintf(w, "  TAKES BACK %s: places that the hub had seen revoked there stay revoked in the bundle\n", visible(a))
	}
}

// judge gives the error of all of them together.
func judge(results []shelfResult) error {
	left, differ := 0, false
	for i := range results {
		if len(results[i].Contradicted) > 0 {
			if results[i].Evidence {
				return &exit{exitWrong, errHubWrong}
			}
			differ = true
		}
		left += results[i].Missing + results[i].Other
	}
	switch {
	case differ:
		return errListsDiffer
	case left > 0:
		return errNotCompared.WithDetail(fmt.Sprintf("%d lists could not be compared", left))
	}
	return nil
}

// shelves says where the issuers' lists are from.
type shelves struct {
	dir             string // of lists that somebody kept
	fetch, loopback bool
}

// compare compares a bundle with the issuers' own signed lists, whole shelves at a
// time: no list is asked for because of one credential.
func (s *shelves) compare(ctx context.Context, b *check.Bundle) ([]shelfResult, error) {
	kept, err := s.kept()
	if err != nil {
		return nil, err
	}
	client := &http.Client{Timeout: shelfTime, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	var issuers []string
	signed := map[string][]string{}
	for _, l := range b.Lists() {
		if _, known := signed[l.Issuer]; !known {
			issuers = append(issuers, l.Issuer)
			signed[l.Issuer] = nil
		}
		if s.fetch {
			if text, err := s.list(ctx, client, l.Address); err == nil {
				signed[l.Issuer] = append(signed[l.Issuer], text)
			}
		}
	}
	out := []shelfResult{}
	for _, issuer := range issuers {
		c := b.Compare(issuer, append(signed[issuer], kept...))
		r := shelfResult{Issuer: issuer, Same: c.Same, Other: c.Other, Missing: c.Missing, Contradicted: c.Contradicted, Lifted: c.Lifted, Evidence: c.Evidence}
		if r.Lifted == nil {
			r.Lifted = []string{}
		}
		if r.Contradicted == nil {
			r.Contradicted = []string{}
		}
		out = append(out, r)
	}
	return out, nil
}

// kept reads the lists of a directory.
func (s *shelves) kept() ([]string, error) {
	if s.dir == "" {
		return nil, nil
	}
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, e := range entries {
		if e.IsDir() {
			continue
		}
		data, err := readBundleFile(filepath.Join(s.dir, e.Name()))
		if err != nil {
			return nil, err
		}
		out = append(out, strings.TrimSpace(string(data)))
	}
	return out, nil
}

// list fetches an issuer's signed list.
func (s *shelves) list(ctx context.Context, client *http.Client, address string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return "", err
	}
	if req.URL.Scheme != "https" && !(s.loopback && req.URL.Scheme == "http" && isLoopback(req.URL.Hostname())) {
		return "", errors.New("not an address that is called")
	}
	res, err := client.Do(req)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	data, err := io.ReadAll(io.LimitReader(res.Body, maxShelfList))
	if err != nil || res.StatusCode != http.StatusOK {
		return "", fmt.Errorf("status %d", res.StatusCode)
	}
	return strings.TrimSpace(string(data)), nil
}
