package check

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kinpass/kinpass/internal/bundle"
	"github.com/kinpass/kinpass/internal/did"
	"github.com/kinpass/kinpass/internal/keys"
	"github.com/kinpass/kinpass/internal/status"
	"github.com/kinpass/kinpass/internal/vc"
)

const registrarDID = "did:web:registrar.example"

// issuedList signs the registrar's list of the places that it has given out.
func (w *world) issuedList(number, below int, at time.Time) string {
	w.t.Helper()
	l, err := status.New(status.MinSize)
	if err != nil {
		w.t.Fatal(err)
	}
	for i := range int64(below) {
		if err := l.Set(i); err != nil {
			w.t.Fatal(err)
		}
	}
	encoded, err := l.Encode()
	if err != nil {
		w.t.Fatal(err)
	}
	address := fmt.Sprintf("%s/status/issued/%d", shelf(vc.RoleRegistrar), number)
	subject, err := json.Marshal(map[string]any{"id": address + "#list", "type": "BitstringStatusList", "statusPurpose": vc.PurposeIssued, "encodedList": encoded})
	if err != nil {
		w.t.Fatal(err)
	}
	return w.sign(w.office[vc.RoleRegistrar], vc.TypCredential, vc.Credential{Context: []string{vc.ContextV2}, ID: address,
		Type: []string{vc.TypeCredential, vc.TypeStatusList}, Issuer: did.Base(w.office[vc.RoleRegistrar].KID),
		ValidFrom: at.UTC(), ValidTo: at.Add(7 * day).UTC(), Subject: subject})
}

// bareSet is a part of sets with one list, on which nothing is set.
func bareSet(t testing.TB, size uint64) string {
	t.Helper()
	set, err := status.BuildPlaces(size, nil)
	if err != nil {
		t.Fatal(err)
	}
	return string(bundle.AppendSet(nil, bundle.ListKey("x"), set))
}

// TestBundlesThatAreNone: a hub signed them, and a post must not go on with them.
func TestBundlesThatAreNone(t *testing.T) {
	type change = func(*bundle.Header, []bundle.Part) []bundle.Part
	for name, changes := range map[string]func(t *testing.T) []change{
		"no directory":           func(*testing.T) []change { return []change{without(partLists)} },
		"sets missing":           func(*testing.T) []change { return []change{without(partSets + registrarDID)} },
		"a part more":            func(*testing.T) []change { return []change{part("more", "x")} },
		"an empty part more":     func(*testing.T) []change { return []change{part("more", "")} },
		"sets that nobody names": func(t *testing.T) []change { return []change{part(partSets+"did:web:x", bareSet(t, status.MinSize))} },
		"places given out that nobody names": func(t *testing.T) []change {
			return []change{part(partIssued+registrarDID, bareSet(t, status.MinSize))}
		},
		"no sets in a part of sets": func(*testing.T) []change { return []change{part(partIssued+registrarDID, "")} },
		"sets of another issuer": func(*testing.T) []change {
			return []change{func(_ *bundle.Header, p []bundle.Part) []bundle.Part {
				i, j := at(p, partSets+registrarDID), at(p, partSets+"did:web:court.example")
				p[i].Bytes, p[j].Bytes = p[j].Bytes, p[i].Bytes
				return nil
			}}
		},
		"sets in another order": func(*testing.T) []change {
			return []change{func(_ *bundle.Header, p []bundle.Part) []bundle.Part {
				i := at(p, partSets+registrarDID)
				n := len(p[i].Bytes) / 2
				p[i].Bytes = slices.Concat(p[i].Bytes[n:], p[i].Bytes[:n])
				return nil
			}}
		},
		"a set less": func(*testing.T) []change {
			return []change{func(_ *bundle.Header, p []bundle.Part) []bundle.Part {
				i := at(p, partSets+registrarDID)
				p[i].Bytes = p[i].Bytes[:len(p[i].Bytes)/2]
				return nil
			}}
		},
		"a set twice": func(*testing.T) []change {
			return []change{func(_ *bundle.Header, p []bundle.Part) []bundle.Part {
				i := at(p, partSets+registrarDID)
				p[i].Bytes = slices.Concat(p[i].Bytes, p[i].Bytes)
				return nil
			}}
		},
		"sets cut off": func(*testing.T) []change {
			return []change{func(_ *bundle.Header, p []bundle.Part) []bundle.Part {
				i := at(p, partSets+registrarDID)
				p[i].Bytes = p[i].Bytes[:len(p[i].Bytes)-8]
				return nil
			}}
		},
		"no JSON":         func(*testing.T) []change { return []change{part(partLists, "{")} },
		"a member twice":  func(*testing.T) []change { return []change{part(partLists, `{"refused":0,"refused":0,"issuers":[]}`)} },
		"nobody's lists":  func(*testing.T) []change { return []change{part(partLists, `{"refused":0,"issuers":[]}`)} },
		"fewer than none": func(t *testing.T) []change { return []change{listed(t, func(d *directory) { d.Refused = -1 })} },
		"an issuer twice": func(t *testing.T) []change {
			return []change{listed(t, func(d *directory) { d.Issuers = append(d.Issuers, d.Issuers[0]) })}
		},
		"an issuer no more": func(t *testing.T) []change {
			return []change{listed(t, func(d *directory) { d.Issuers = d.Issuers[1:] })}
		},
		"without a name": func(t *testing.T) []change { return []change{listed(t, func(d *directory) { d.Issuers[0].DID = "" })} },
		"without lists": func(t *testing.T) []change {
			return []change{listed(t, func(d *directory) { d.Issuers[0].Lists = nil })}
		},
		"without evidence": func(t *testing.T) []change {
			return []change{listed(t, func(d *directory) { d.Issuers[0].Evidence = "" })}
		},
		"evidence cut off": func(t *testing.T) []change {
			return []change{listed(t, func(d *directory) { d.Issuers[0].Evidence = d.Issuers[0].Evidence[1:] })}
		},
		"without a date": func(t *testing.T) []change {
			return []change{listed(t, func(d *directory) { d.Issuers[0].From = time.Time{} })}
		},
		"without a size": func(t *testing.T) []change { return []change{listed(t, func(d *directory) { d.Issuers[0].Size = 0 })} },
		"another size":   func(t *testing.T) []change { return []change{listed(t, func(d *directory) { d.Issuers[0].Size *= 2 })} },
		"a list twice": func(t *testing.T) []change {
			return []change{listed(t, func(d *directory) { d.Issuers[0].Lists[1] = d.Issuers[0].Lists[0] })}
		},
		// With a set of its own: of two answers to one question the later would count.
		"a list twice, with two purposes": func(t *testing.T) []change {
			var address string
			return []change{listed(t, func(d *directory) {
				s := d.Issuers[slices.IndexFunc(d.Issuers, func(s issuerLists) bool { return s.DID == registrarDID })]
				one, two := &s.Lists[0], &s.Lists[1]
				address = s.Base + one.At
				two.At, two.For = one.At, vc.PurposeSuspension
			}), func(_ *bundle.Header, p []bundle.Part) []bundle.Part {
				i := at(p, partSets+registrarDID)
				sets, err := bundle.OpenSets(p[i].Bytes)
				if err != nil || len(sets) != 2 {
					t.Fatal(len(sets), err)
				}
				l := List{Address: address, About: address, Purpose: vc.PurposeSuspension}
				p[i].Bytes = bundle.AppendSet(bundle.AppendSet(nil, sets[0].Key, sets[0].Bytes()), l.key(), sets[1].Bytes())
				return nil
			}}
		},
		"another address": func(t *testing.T) []change {
			return []change{listed(t, func(d *directory) { d.Issuers[0].Lists[0].At += "2" })}
		},
		"an unknown purpose": func(t *testing.T) []change {
			return []change{listed(t, func(d *directory) { d.Issuers[0].Lists[0].For = "message" })}
		},
		"another purpose": func(t *testing.T) []change {
			return []change{listed(t, func(d *directory) { d.Issuers[0].Lists[0].For = vc.PurposeSuspension })}
		},
		"about another list": func(t *testing.T) []change {
			return []change{listed(t, func(d *directory) { d.Issuers[0].Lists[0].About = "https://x.example/1" })}
		},
		"too many lists": func(t *testing.T) []change {
			return []change{listed(t, func(d *directory) { d.Issuers[0].Lists = make([]row, maxLists) })}
		},
		"policies of nothing": func(*testing.T) []change { return []change{part(partPolicies, "[]")} },
		"policies no list":    func(*testing.T) []change { return []change{part(partPolicies, "{}")} },
		"survivors of nobody": func(*testing.T) []change { return []change{part(partSurvivors+"k", "")} },
		"survivors cut off":   func(*testing.T) []change { return []change{part(partSurvivors+"k", "12345678901")} },
		"survivors in disorder": func(*testing.T) []change {
			return []change{part(partSurvivors+"k", "222222222222111111111111")}
		},
		"a survivor twice": func(*testing.T) []change { return []change{part(partSurvivors+"k", "111111111111111111111111")} },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			if _, err := Open(w.repack(w.hub), w.anchors()); err != nil {
				t.Fatal(err)
			}
			if b, err := Open(w.repack(w.hub, changes(t)...), w.anchors()); !errors.Is(err, ErrBundle) || b != nil {
				t.Errorf("%v", err)
			}
		})
	}
}

func at(parts []bundle.Part, name string) int {
	return slices.IndexFunc(parts, func(p bundle.Part) bool { return p.Name == name })
}

// TestEveryByteOfABundle: a bit is flipped in each byte of a bundle; none opens.
func TestEveryByteOfABundle(t *testing.T) {
	w := newWorld(t)
	w.set(vc.PurposeRevocation, 77)
	p := w.payload()
	p.Issued = []string{w.issuedList(1, 100, w.built)}
	p.Survivors = []Survivors{{KID: w.office[vc.RoleRegistrar].KID, Payloads: [][32]byte{{1}, {2}}}}
	data, err := p.Sign(w.hub)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(data, w.anchors()); err != nil {
		t.Fatal(err)
	}
	step := 1
	if raced {
		step = 11
	}
	for i := 0; i < len(data); i += step {
		data[i] ^= 1 << (i % 8)
		if b, err := Open(data, w.anchors()); !errors.Is(err, ErrBundle) || b != nil {
			t.Fatalf("byte %d of %d was changed and nobody saw it", i, len(data))
		}
		data[i] ^= 1 << (i % 8)
	}
}

// TestListsThatTheTrustListForbids: a hub says that they were signed, by a key or
// at a time that the trust list does not let sign. They answer nothing.
func TestListsThatTheTrustListForbids(t *testing.T) {
	for name, c := range map[string]struct {
		world  func(w *world)
		change func(d *directory, s *issuerLists)
	}{
		"an unknown key":       {nil, func(_ *directory, s *issuerLists) { s.KID = registrarDID + "#key-9" }},
		"no key":               {nil, func(_ *directory, s *issuerLists) { s.KID = "" }},
		"another issuer's key": {nil, func(_ *directory, s *issuerLists) { s.KID = "did:web:court.example#key-1" }},
		"a stranger's":         {nil, func(_ *directory, s *issuerLists) { s.KID = "did:web:stranger.example#key-1" }},
		"before the key":       {nil, func(_ *directory, s *issuerLists) { s.From = now.AddDate(-2, 0, 0) }},
		"over before it began": {nil, func(_ *directory, s *issuerLists) { s.Until = s.From }},
		"after the key":        {func(w *world) { w.trust.Issuers[0].Keys[0].NotAfter = now.Add(-2 * time.Hour) }, nil},
		"after the cut-off":    {func(w *world) { w.trust.Issuers[0].Keys[0].CutOff = now.Add(-2 * time.Hour) }, nil},
		"a key that signs nothing": {func(w *world) {
			w.trust.Issuers[0].Keys[0].Types, w.trust.Issuers[0].Keys[0].Role = nil, vc.RoleWitness
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			good := w.trust.Issuers
			w.trust.Issuers = slices.Clone(good)
			w.trust.Issuers[0].Keys = slices.Clone(good[0].Keys)
			if c.world != nil {
				c.world(w)
			}
			// A hub that does not care: packed under the trust list as it was.
			honest := w.payload()
			trusting := w.trust
			trusting.Issuers = good
			parts, err := honest.parts(&trusting)
			if err != nil {
				t.Fatal(err)
			}
			if c.change != nil {
				parts = listed(t, func(d *directory) {
					i := slices.IndexFunc(d.Issuers, func(s issuerLists) bool { return s.DID == registrarDID })
					c.change(d, &d.Issuers[i])
				})(nil, parts)
			}
			data, err := bundle.Pack(bundle.Header{ID: "x", Sequence: 1, CreatedAt: w.built, TrustList: w.trust.Sequence}, parts, w.hub)
			if err != nil {
				t.Fatal(err)
			}
			b, err := Open(data, w.anchors())
			if err != nil || b.RefusedLists != 2 || len(b.Lists()) != 8 {
				t.Fatalf("%v %+v", err, b)
			}
			a := b.answers(registrarDID, []vc.StatusEntry{{Purpose: vc.PurposeRevocation, Index: "2", List: shelf(vc.RoleRegistrar) + "/status/revocation/1"}}, now)
			if !a.unknown || a.used {
				t.Errorf("%+v", a)
			}
		})
	}
}

// TestIssuedSets: what an issuer has given out is asked for both purposes, and an
// issuer that does not say is not asked.
func TestIssuedSets(t *testing.T) {
	w := newWorld(t)
	snapshot := w.built
	p := w.payload()
	p.Issued = []string{w.issuedList(1, 50, snapshot), w.issuedList(1, 10, snapshot.Add(-time.Hour)), "rubbish", p.StatusLists[0]}
	p.StatusLists = append(p.StatusLists, w.issuedList(2, 10, snapshot)) // not one of those
	b := w.open(p)
	if b.RefusedLists != 3 || len(b.Lists()) != 11 {
		t.Fatalf("%d refused, %d lists", b.RefusedLists, len(b.Lists()))
	}
	ask := func(issuer, purpose, index, number string) answer {
		return b.answers(issuer, []vc.StatusEntry{{Purpose: purpose, Index: index, List: "https://" + strings.TrimPrefix(issuer, "did:web:") + "/status/" + purpose + "/" + number}}, now)
	}
	for _, purpose := range []string{vc.PurposeRevocation, vc.PurposeSuspension} {
		if a := ask(registrarDID, purpose, "49", "1"); a.absent {
			t.Errorf("%s: given out, and absent", purpose)
		}
		a := ask(registrarDID, purpose, "50", "1")
		if !a.absent || !a.snapshot.Equal(snapshot) {
			t.Errorf("%s: %+v", purpose, a)
		}
		for from, never := range map[time.Time]bool{snapshot.Add(-time.Second): true, snapshot: false, snapshot.Add(time.Hour): false} {
			if a.neverIssued(from) != never || a.newer(from) == never {
				t.Errorf("%s: of %v: never issued is %v", purpose, from, a.neverIssued(from))
			}
		}
		if a := ask("did:web:court.example", purpose, "50", "1"); a.absent || a.neverIssued(snapshot.Add(-day)) || a.newer(snapshot) {
			t.Errorf("%s: an issuer that does not say: %+v", purpose, a)
		}
		if a := ask(registrarDID, purpose, fmt.Sprint(status.MinSize), "1"); a.absent || !a.unknown {
			t.Errorf("%s: after the end: %+v", purpose, a)
		}
	}
	// A key that was withdrawn since does not say it.
	w.trust.Issuers[0].Keys[0].CutOff = now
	if a := w.open(func() BundlePayload { q := w.payload(); q.Issued = p.Issued[:1]; return q }()).answers(registrarDID,
		[]vc.StatusEntry{{Purpose: vc.PurposeRevocation, Index: "50", List: shelf(vc.RoleRegistrar) + "/status/revocation/1"}}, now); a.absent || !a.unknown {
		t.Errorf("of a withdrawn key: %+v", a)
	}
}

// TestSurvivors: what a withdrawn key signed before it was withdrawn is good if the
// hub was shown so; each credential for itself, and for its own key.
func TestSurvivors(t *testing.T) {
	old := registrarDID + "#key-1"
	for _, c := range []struct {
		name      string
		cutOff    time.Time
		survivors func(jwts []string) []Survivors
		want      string
	}{
		{"both", now, func(j []string) []Survivors { return []Survivors{{old, sums(t, j...)}} }, "OK"},
		{"among many", now, func(j []string) []Survivors {
			many := sums(t, j...)
			for i := range 5000 {
				many = append(many, sha256.Sum256(fmt.Append(nil, i)))
			}
			return []Survivors{{old, append(many, many[:100]...)}}
		}, "OK"},
		{"none", now, func([]string) []Survivors { return nil }, CodeIssuerKeyUnproven},
		{"an empty set", now, func([]string) []Survivors { return []Survivors{{KID: old}} }, CodeIssuerKeyUnproven},
		{"the birth alone", now, func(j []string) []Survivors { return []Survivors{{old, sums(t, j[0])}} }, CodeIssuerKeyUnproven},
		{"others", now, func([]string) []Survivors { return []Survivors{{old, [][32]byte{{1}, {2}}}} }, CodeIssuerKeyUnproven},
		{"of another key", now, func(j []string) []Survivors { return []Survivors{{registrarDID + "#key-2", sums(t, j...)}} }, CodeIssuerKeyUnproven},
		// It says itself that it is from after: nothing saves it.
		{"dated after the cut-off", now.AddDate(0, -1, 0), func(j []string) []Survivors { return []Survivors{{old, sums(t, j...)}} }, CodeIssuerKeyRevoked},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, text, _, jwts := logged(t)
			w.trust.Issuers[0].Keys[0].CutOff = c.cutOff
			p := w.payload()
			p.Survivors = c.survivors(jwts)
			d, _, err := Check(text, w.open(p), Facts{}, History{}, now)
			if err != nil || strings.Join(d.Codes(), " ") != c.want {
				t.Errorf("%v %v, want %s", d.Codes(), err, c.want)
			}
		})
	}
}

func sums(t testing.TB, jwts ...string) (out [][32]byte) {
	for _, j := range jwts {
		out = append(out, sha256.Sum256(payloadOf(t, j)))
	}
	return out
}

// TestCompareWithShelf: a hub that says something else than an issuer's lists is found out,
// by the lists of the same time alone.
func TestCompareWithShelf(t *testing.T) {
	w := newWorld(t)
	w.set(vc.PurposeRevocation, 77)
	p := w.payload()
	p.Issued = []string{w.issuedList(1, 50, w.built)}
	own := append(slices.Clone(p.StatusLists[:2]), p.Issued...)
	b := w.open(p)
	same := func(c Comparison, want Comparison) bool { return fmt.Sprintf("%+v", c) == fmt.Sprintf("%+v", want) }
	if c := b.Compare(registrarDID, own); !same(c, Comparison{Same: 3, Evidence: true}) {
		t.Errorf("%+v", c)
	}
	if c := b.Compare(registrarDID, own[:2]); !same(c, Comparison{Same: 2, Missing: 1}) {
		t.Errorf("without one: %+v", c)
	}
	if c := b.Compare(registrarDID, append(slices.Clone(own), "rubbish", p.StatusLists[3])); !same(c, Comparison{Same: 3, Unread: 2, Evidence: true}) {
		t.Errorf("with others: %+v", c)
	}
	address := shelf(vc.RoleRegistrar) + "/status/revocation/1"
	later := w.list(address, w.lists[address], w.built.Add(time.Minute))
	if c := b.Compare(registrarDID, []string{later, own[1], own[2]}); !same(c, Comparison{Same: 2, Other: 1}) {
		t.Errorf("a younger one: %+v", c)
	}
	// A hub that takes a revocation back, under its own signature.
	empty, err := status.New(status.MinSize)
	if err != nil {
		t.Fatal(err)
	}
	set, err := empty.Places()
	if err != nil {
		t.Fatal(err)
	}
	lies, err := Open(w.repack(w.hub, func(_ *bundle.Header, parts []bundle.Part) []bundle.Part {
		i := at(parts, partSets+registrarDID)
		sets, err := bundle.OpenSets(parts[i].Bytes)
		if err != nil {
			t.Fatal(err)
		}
		var out []byte
		for n, s := range sets {
			if n == 0 {
				out = bundle.AppendSet(out, s.Key, set)
			} else {
				out = bundle.AppendSet(out, s.Key, s.Bytes())
			}
		}
		if bytes.Equal(out, parts[i].Bytes) {
			t.Fatal("nothing changed")
		}
		parts[i].Bytes = out
		return nil
	}), w.anchors())
	if err != nil {
		t.Fatal(err)
	}
	if c := lies.Compare(registrarDID, own[:2]); !same(c, Comparison{Same: 1, Contradicted: []string{address}, Evidence: true}) {
		t.Errorf("a hub that lies: %+v", c)
	}
}

// TestDirectoryIsSmall: what the lists have in common is written once, and what
// differs is read as it was signed.
func TestDirectoryIsSmall(t *testing.T) {
	w := newWorld(t)
	other := w.key(keys.EdDSA).Signer(registrarDID + "#key-2")
	k := w.trustKey(other, vc.RoleRegistrar)
	k.Types = []string{vc.TypeBirth, vc.TypeGuardianship}
	w.trust.Issuers[0].Keys = append(w.trust.Issuers[0].Keys, k)
	p := BundlePayload{ID: "x", Sequence: 1, CreatedAt: w.built, TrustList: w.sign(w.anchor.Signer("anchor"), vc.TypTrustList, w.trust)}
	want := map[string]time.Time{}
	for i := range 100 {
		for _, purpose := range []string{vc.PurposeRevocation, vc.PurposeSuspension} {
			a := fmt.Sprintf("%s/status/%s/%d", shelf(vc.RoleRegistrar), purpose, i+1)
			w.maker[a] = vc.RoleRegistrar
			size, from := int64(status.MinSize), w.built
			switch i {
			case 3:
				size *= 2
			case 5:
				from = from.Add(-time.Hour)
			}
			l, err := status.New(size)
			if err != nil {
				t.Fatal(err)
			}
			if i == 3 { // an empty list is of the usual size here
				if err := l.Set(0); err != nil {
					t.Fatal(err)
				}
			}
			if i == 7 {
				w.office[vc.RoleRegistrar], other = other, w.office[vc.RoleRegistrar]
			}
			p.StatusLists = append(p.StatusLists, w.list(a, l, from))
			if i == 7 {
				w.office[vc.RoleRegistrar], other = other, w.office[vc.RoleRegistrar]
			}
			want[a] = from
		}
	}
	b := w.open(p)
	text, _ := b.File().Part(partLists)
	if len(text) > 200*32 {
		t.Errorf("%d bytes for 200 lists", len(text))
	}
	for _, l := range b.Lists() {
		size, kid := int64(status.MinSize), registrarDID+"#key-1"
		if strings.HasSuffix(l.Address, "/4") {
			size *= 2
		}
		if strings.HasSuffix(l.Address, "/8") {
			kid = registrarDID + "#key-2"
		}
		if !l.From.Equal(want[l.Address]) || !l.Until.Equal(l.From.Add(7*day)) || l.Size != size || l.KID != kid || l.About != l.Address {
			t.Errorf("%+v", l)
		}
		delete(want, l.Address)
	}
	if len(want) != 0 {
		t.Errorf("not in the bundle: %v", want)
	}
}
