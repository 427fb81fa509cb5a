package conformance

import (
	"encoding/json"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/kinpass/kinpass/internal/status"
	"github.com/kinpass/kinpass/internal/vc"
)

const statusPath = "/status/1"

// list is the one status list of a run, with the credentials that are on it.
type list struct {
	url string

	mu   sync.Mutex
	bits *status.List
	next int64
	of   map[string]int64 // by credential id
}

func newList(url string) (*list, error) {
	bits, err := status.New(status.MinSize)
	return &list{url: url, bits: bits, of: map[string]int64{}}, err
}

// take gives a credential the next index; full says that there is none left.
func (l *list) take(credential string) (index int64, full bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.next >= l.bits.Len() {
		return 0, true
	}
	index = l.next
	l.next++
	if credential != "" {
		l.of[credential] = index
	}
	return index, false
}

func (l *list) set(credential string, on bool) (known bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	i, ok := l.of[credential]
	if !ok {
		return false, nil
	}
	if on {
		return true, l.bits.Set(i)
	}
	return true, l.bits.Clear(i)
}

func (l *list) isSet(index int64) (bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.bits.Get(index)
}

func (l *list) encode() (string, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.bits.Encode()
}

// entry is what a credential at index carries.
func (l *list) entry(index int64) vc.StatusEntry {
	return vc.StatusEntry{Type: "BitstringStatusListEntry", Purpose: vc.PurposeRevocation, Index: strconv.FormatInt(index, 10), List: l.url}
}

// statusList answers with the list as a signed credential.
func (s *Server) statusList(w http.ResponseWriter, r *http.Request) {
	encoded, err := s.list.encode()
	if err != nil {
		s.fail(w, err)
		return
	}
	signer := s.signers[issuers["bsl"].key]
	now := s.now().UTC().Truncate(time.Second)
	doc, err := json.Marshal(map[string]any{
		"@context":  []string{vc.ContextV2},
		"id":        s.list.url,
		"type":      []string{vc.TypeCredential, vc.TypeStatusList},
		"issuer":    s.IDs.Issuers["bsl"],
		"validFrom": now.Format(time.RFC3339),
		"credentialSubject": map[string]string{
			"id":            s.list.url + "#list",
			"type":          "BitstringStatusList",
			"statusPurpose": vc.PurposeRevocation,
			"encodedList":   encoded,
		},
	})
	if err != nil {
		s.fail(w, err)
		return
	}
	signed, err := vc.AddProof(doc, vc.ProofOptions{Suite: issuers["bsl"].suite, Signer: signer, Purpose: purposeAssertion, Created: now})
	if err != nil {
		s.fail(w, err)
		return
	}
	w.Header().Set("Content-Type", "application/vc")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write(signed)
}

// setStatus sets or clears the revocation of a credential that this server
// issued (VC API 1.0, section 3.2.2).
func (s *Server) setStatus(w http.ResponseWriter, r *http.Request) {
	var in struct {
		ID     string `json:"credentialId"`
		Status struct {
			Type    string `json:"type"`
			Purpose string `json:"statusPurpose"`
		} `json:"credentialStatus"`
		On *bool `json:"status"`
	}
	if err := s.read(r, &in); err != nil {
		s.fail(w, err)
		return
	}
	if in.Status.Type != "BitstringStatusListEntry" || in.Status.Purpose != vc.PurposeRevocation {
		s.fail(w, errStatusType)
		return
	}
	known, err := s.list.set(in.ID, in.On == nil || *in.On)
	switch {
	case err != nil:
		s.fail(w, err)
	case !known:
		s.fail(w, errUnknownCredential)
	default:
		s.answer(w, http.StatusOK, map[string]any{})
	}
}
