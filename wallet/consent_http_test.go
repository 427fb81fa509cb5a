package wallet

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/kinpass/kinpass/api"
	"github.com/kinpass/kinpass/internal/keys"
	"github.com/kinpass/kinpass/internal/store"
	"github.com/kinpass/kinpass/internal/store/storetest"
	"github.com/kinpass/kinpass/internal/vc"
)

// consentDesk is a desk whose office keeps the status of consents, with a third
// guardian who is nobody's parent.
func consentDesk(t *testing.T, s scene) desk {
	t.Helper()
	s.hosting()
	d := newDesk(t, s)
	secret, _, err := s.db.AddToken(t.Context(), "carla", RoleGuardian, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	d.tokens["carla"] = secret
	return d
}

func (d desk) offered(t *testing.T, who string, c child) Accepted {
	t.Helper()
	return into[Accepted](t, d.call(t, who, "POST", "/wallet/offers", jsonObject{"offer": d.o.offer(c), "pin": pin}))
}

// created reads the answer to a draft.
func created(t *testing.T, rec *httptest.ResponseRecorder) Consent {
	t.Helper()
	if rec.Code != http.StatusCreated {
		t.Fatalf("status %d: %s", rec.Code, rec.Body)
	}
	rec.Code = http.StatusOK
	return into[Consent](t, rec)
}

// The whole of it over HTTP: two guardians, a notary, a companion, a paper.
func TestHTTPConsentStory(t *testing.T) {
	eachDesk(t, func(t *testing.T, d desk) {
		d = consentDesk(t, d.scene)
		d.o.alter = jointly(2)
		n := newNotary(t, d.o, vc.RoleNotary)
		a, b := d.offered(t, "amina", zainab), d.offered(t, "bilal", zainab)
		key := into[map[string]string](t, d.call(t, "carla", "GET", "/wallet/key", nil))["did"]
		draft := jsonObject{"child": a.Child, "mode": "withThirdParty", "trip": json.RawMessage(trip), "accompanying": withKey("Rita Thapa", key)}
		c := created(t, d.call(t, "amina", "POST", "/wallet/consents", draft))
		if c.Invitation == nil {
			t.Fatal("no invitation")
		}
		early := d.call(t, "amina", "POST", "/wallet/consents/"+c.ID+"/sign", nil)
		if early.Code != 409 {
			t.Errorf("signed alone: %d", early.Code)
		}
		j := into[Consent](t, d.call(t, "bilal", "POST", "/wallet/consents/join", jsonObject{"link": c.Invitation.Link}))
		into[Consent](t, d.call(t, "bilal", "POST", "/wallet/consents/"+j.ID+"/sign", jsonObject{"alone": false}))
		into[Consent](t, d.call(t, "amina", "POST", "/wallet/consents/"+c.ID+"/sign", nil))
		one := into[Consent](t, d.call(t, "bilal", "GET", "/wallet/consents/"+j.ID, nil))
		if one.State != consentSigned || !contains(one.Subject, key) || one.Child != b.Child {
			t.Errorf("%+v", one)
		}
		list := into[struct{ Consents []Consent }](t, d.call(t, "amina", "GET", "/wallet/consents", nil))
		if len(list.Consents) != 1 || list.Consents[0].Subject != nil {
			t.Errorf("%+v", list)
		}
		dossier := into[Dossier](t, d.call(t, "amina", "GET", "/wallet/consents/"+c.ID+"/dossier", nil))
		paperless := d.call(t, "amina", "POST", "/wallet/consents/"+c.ID+"/paper", nil)
		if paperless.Code != 409 || !strings.Contains(paperless.Body.String(), "notary") {
			t.Errorf("paper before it is witnessed: %d %s", paperless.Code, paperless.Body)
		}
		w := into[Consent](t, d.call(t, "amina", "PUT", "/wallet/consents/"+c.ID+"/witnessed", jsonObject{"credential": n.witness(dossier, nil)}))
		if w.State != consentWitnessed {
			t.Errorf("%+v", w)
		}
		paper := into[struct {
			Codes []struct {
				KP1, SVG string
				PNG      []byte
				Holds    []string
			}
		}](t, d.call(t, "amina", "POST", "/wallet/consents/"+c.ID+"/paper", nil))
		if len(paper.Codes) == 0 || !strings.HasPrefix(paper.Codes[0].KP1, "KP1:") || len(paper.Codes[0].PNG) == 0 {
			t.Errorf("paper of %d codes", len(paper.Codes))
		}
		link := into[Link](t, d.call(t, "amina", "POST", "/wallet/consents/"+c.ID+"/share", jsonObject{"key": key}))
		kids := into[struct{ Children []Child }](t, d.call(t, "carla", "POST", "/wallet/shares", jsonObject{"link": link.Link}))
		if len(kids.Children) != 1 || !kids.Children[0].Shared {
			t.Fatalf("%+v", kids)
		}
		kid := kids.Children[0].ID
		p := into[struct{ KP1, Presentation, QR string }](t, d.call(t, "carla", "POST", "/wallet/presentations", jsonObject{"child": kid}))
		if held, _ := opened(t, p.Presentation); held.Holder != key {
			t.Errorf("held by %s", held.Holder)
		}
		group := into[struct {
			Presentations []struct{ Child, KP1, QR string }
			Missing       []any
		}](t, d.call(t, "carla", "POST", "/wallet/presentations", jsonObject{"children": []string{kid}}))
		if len(group.Presentations) != 1 || group.Presentations[0].Child != kid || !strings.HasPrefix(group.Presentations[0].QR, "<svg") || group.Missing == nil {
			t.Errorf("%+v", group)
		}
		for _, who := range []string{"bilal", "bilal"} { // twice is once
			if rec := d.call(t, who, "POST", "/wallet/consents/"+j.ID+"/withdraw", nil); rec.Code != 204 || rec.Body.Len() != 0 {
				t.Errorf("withdraw: %d %s", rec.Code, rec.Body)
			}
		}
		into[Renewed](t, d.call(t, "carla", "POST", "/wallet/renewals", nil))
		gone := d.call(t, "carla", "POST", "/wallet/presentations", jsonObject{"child": kid})
		if gone.Code != 409 || !strings.Contains(gone.Body.String(), "contact the guardians or the office") || strings.Contains(gone.Body.String(), "withdr") {
			t.Errorf("after the withdrawal: %d %s", gone.Code, gone.Body)
		}
		shared := into[struct{ Consents []Consent }](t, d.call(t, "carla", "GET", "/wallet/consents", nil))
		if rec := d.call(t, "amina", "DELETE", "/wallet/consents/"+c.ID, nil); rec.Code != 409 {
			t.Errorf("forgetting what is signed: %d", rec.Code)
		}
		for who, id := range map[string]string{"carla": shared.Consents[0].ID, "bilal": j.ID} {
			if rec := d.call(t, who, "DELETE", "/wallet/consents/"+id, nil); rec.Code != 204 {
				t.Errorf("%s: %d %s", who, rec.Code, rec.Body)
			}
			if rec := d.call(t, who, "GET", "/wallet/consents/"+id, nil); rec.Code != 404 {
				t.Errorf("%s: %d", who, rec.Code)
			}
		}
		noSecrets(t, d.log.String(), d)
		for _, l := range []string{c.Invitation.Link, link.Link} {
			u, _ := url.Parse(l)
			for _, no := range []string{u.Fragment, strings.TrimPrefix(u.Path, dropPath), "Rita", "Thapa", "THAPA", "NPL", "IND"} {
				if strings.Contains(d.log.String(), no) {
					t.Errorf("the log holds %q", no)
				}
			}
		}
	})
}

// Another guardian's consents look exactly like consents that never were, on
// every route.
func TestHTTPConsentNotYoursIsNotThere(t *testing.T) {
	eachDesk(t, func(t *testing.T, d desk) {
		d = consentDesk(t, d.scene)
		a := d.offered(t, "amina", zainab)
		b := d.offered(t, "bilal", zainab)
		key := into[map[string]string](t, d.call(t, "carla", "GET", "/wallet/key", nil))["did"]
		draft := func(child string) jsonObject {
			return jsonObject{"child": child, "mode": "withThirdParty", "trip": json.RawMessage(trip), "accompanying": withKey("Rita Thapa", key)}
		}
		c := created(t, d.call(t, "amina", "POST", "/wallet/consents", draft(a.Child)))
		into[Consent](t, d.call(t, "amina", "POST", "/wallet/consents/"+c.ID+"/sign", nil))
		link := into[Link](t, d.call(t, "amina", "POST", "/wallet/consents/"+c.ID+"/share", nil))
		shared := into[struct{ Children []Child }](t, d.call(t, "carla", "POST", "/wallet/shares", jsonObject{"link": link.Link})).Children[0].ID
		secret, _, err := d.db.AddToken(t.Context(), "fresh", RoleGuardian, time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		d.tokens["fresh"] = secret
		const absent = "AbCdEfGhIjKlMnOp"
		for _, who := range []string{"bilal", "fresh"} {
			for _, x := range []struct {
				method, path string
				body         func(child, consent string) any
			}{
				{"GET", "/wallet/consents/ID", nil},
				{"DELETE", "/wallet/consents/ID", nil},
				{"POST", "/wallet/consents/ID/sign", nil},
				{"POST", "/wallet/consents/ID/withdraw", nil},
				{"GET", "/wallet/consents/ID/dossier", nil},
				{"PUT", "/wallet/consents/ID/witnessed", func(_, _ string) any { return jsonObject{"credential": "x"} }},
				{"POST", "/wallet/consents/ID/share", nil},
				{"POST", "/wallet/consents/ID/share", func(_, _ string) any { return jsonObject{"key": key} }},
				{"POST", "/wallet/consents/ID/paper", nil},
				{"POST", "/wallet/consents", func(child, _ string) any { return draft(child) }},
				{"POST", "/wallet/presentations", func(child, consent string) any { return jsonObject{"child": child, "consent": consent} }},
				{"POST", "/wallet/presentations", func(child, _ string) any { return jsonObject{"children": []string{child}} }},
			} {
				ask := func(child, consent string) *httptest.ResponseRecorder {
					var body any
					if x.body != nil {
						body = x.body(child, consent)
					}
					return d.call(t, who, x.method, strings.Replace(x.path, "ID", consent, 1), body)
				}
				for _, child := range []string{a.Child, shared} {
					got, never := ask(child, c.ID), ask(absent, absent)
					if got.Code != http.StatusNotFound || got.Code != never.Code || got.Body.String() != never.Body.String() ||
						fmt.Sprint(withoutID(got.Header())) != fmt.Sprint(withoutID(never.Header())) {
						t.Errorf("%s %s %s: %d %s, absent: %d %s", who, x.method, x.path, got.Code, got.Body, never.Code, never.Body)
					}
				}
			}
		}
		// His own child with her consent, and a link that is not for him.
		x := d.call(t, "bilal", "POST", "/wallet/presentations", jsonObject{"child": b.Child, "consent": c.ID})
		y := d.call(t, "bilal", "POST", "/wallet/presentations", jsonObject{"child": b.Child, "consent": absent})
		if x.Code != 404 || x.Body.String() != y.Body.String() {
			t.Errorf("%d %s, absent: %d %s", x.Code, x.Body, y.Code, y.Body)
		}
		other := newLink(d.cfg.Base)
		x = d.call(t, "bilal", "POST", "/wallet/shares", jsonObject{"link": link.Link})
		y = d.call(t, "bilal", "POST", "/wallet/shares", jsonObject{"link": other.String()})
		if x.Code != 422 || x.Body.String() != y.Body.String() {
			t.Errorf("%d %s, absent: %d %s", x.Code, x.Body, y.Code, y.Body)
		}
		// A drop without its secret is none: its id alone is worth nothing.
		l, err := d.parseLink(link.Link)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range []struct {
			method, suffix string
			body           any
		}{{"GET", "", nil}, {"PUT", "", jsonObject{"version": 1, "content": "AAAA"}}, {"POST", "/take", jsonObject{"reader": b64.EncodeToString(make([]byte, 32))}}} {
			for _, access := range []string{"", "Bearer x", "Bearer " + b64.EncodeToString(make([]byte, 32)), "Bearer " + d.tokens["amina"]} {
				x := d.call(t, "none", r.method, dropPath+l.ID+r.suffix, r.body, "Authorization", access)
				y := d.call(t, "none", r.method, dropPath+other.ID+r.suffix, r.body, "Authorization", access)
				if x.Code != 404 || x.Body.String() != y.Body.String() {
					t.Errorf("%s %s %.12s: %d %s, absent: %d %s", r.method, r.suffix, access, x.Code, x.Body, y.Code, y.Body)
				}
			}
		}
		for _, path := range []string{"/wallet/children", "/wallet/consents"} {
			if rec := d.call(t, "bilal", "GET", path, nil); strings.Contains(rec.Body.String(), c.ID) || strings.Contains(rec.Body.String(), shared) {
				t.Errorf("%s shows another guardian's", path)
			}
		}
		if rec := d.call(t, "amina", "GET", "/wallet/consents/"+c.ID, nil); rec.Code != 200 {
			t.Errorf("hers is gone: %d", rec.Code)
		}
	})
}

func TestHTTPConsentTokens(t *testing.T) {
	d := consentDesk(t, lite(t))
	for _, r := range []struct {
		method, path string
		body         any
	}{
		{"GET", "/wallet/key", nil}, {"GET", "/wallet/consents", nil}, {"GET", "/wallet/consents/x", nil}, {"DELETE", "/wallet/consents/x", nil},
		{"POST", "/wallet/consents", jsonObject{"child": "x", "mode": "alone", "trip": jsonObject{}}}, {"POST", "/wallet/consents/join", jsonObject{"link": "x"}},
		{"POST", "/wallet/consents/x/sign", nil}, {"POST", "/wallet/consents/x/withdraw", nil}, {"GET", "/wallet/consents/x/dossier", nil},
		{"PUT", "/wallet/consents/x/witnessed", jsonObject{"credential": "x"}}, {"POST", "/wallet/consents/x/share", nil},
		{"POST", "/wallet/consents/x/paper", nil}, {"POST", "/wallet/shares", jsonObject{"link": "x"}},
	} {
		for who, want := range map[string]int{"none": 401, "wrong": 401, "officer": 403} {
			if rec := d.call(t, who, r.method, r.path, r.body); rec.Code != want || rec.Header().Get("Content-Type") != api.MediaProblem {
				t.Errorf("%s %s %s: %d %s", who, r.method, r.path, rec.Code, rec.Body)
			}
		}
	}
	if d.o.count("") != 0 || count(t, d.db, "guardians") != 0 {
		t.Error("somebody without a wallet did something")
	}
}

// Bad input is refused by a problem that does not repeat it, and does nothing.
func TestHTTPConsentBadInput(t *testing.T) {
	d := consentDesk(t, lite(t))
	a := d.offered(t, "amina", zainab)
	const mark = "Xq7EchoMark"
	good := func(change func(jsonObject)) jsonObject {
		x := jsonObject{"child": a.Child, "mode": "withOneGuardian", "trip": json.RawMessage(trip)}
		change(x)
		return x
	}
	set := func(name string, v any) jsonObject { return good(func(x jsonObject) { x[name] = v }) }
	link := newLink(d.cfg.Base)
	requests := d.o.count("")
	for _, c := range []struct {
		method, path string
		body         any
		status       int
		code         string
	}{
		{"POST", "/wallet/consents", "", 400, "request-invalid"},
		{"POST", "/wallet/consents", "null", 400, "request-invalid"},
		{"POST", "/wallet/consents", jsonObject{}, 400, "request-invalid"},
		{"POST", "/wallet/consents", set(mark, mark), 400, "request-invalid"},
		{"POST", "/wallet/consents", set("mode", mark), 400, "request-invalid"},
		{"POST", "/wallet/consents", set("child", ""), 400, "request-invalid"},
		{"POST", "/wallet/consents", set("child", mark), 404, "no-such-child"},
		{"POST", "/wallet/consents", set("trip", mark), 400, "request-invalid"},
		{"POST", "/wallet/consents", set("trip", jsonObject{mark: mark}), 400, "consent-invalid"},
		{"POST", "/wallet/consents", set("trip", jsonObject{"departFrom": mark}), 400, "consent-invalid"},
		{"POST", "/wallet/consents", set("accompanying", []any{jsonObject{"names": mark}}), 400, "consent-invalid"},
		{"POST", "/wallet/consents", set("accompanying", []any{jsonObject{mark: mark}}), 400, "consent-invalid"},
		{"POST", "/wallet/consents", set("accompanying", withKey(mark, mark)), 400, "consent-invalid"},
		{"POST", "/wallet/consents", set("receiving", jsonObject{"name": jsonObject{mark: 1}}), 400, "consent-invalid"},
		{"POST", "/wallet/consents", set("grantedOn", mark), 400, "request-invalid"},
		{"POST", "/wallet/consents", set("medicalConsent", mark), 400, "request-invalid"},
		{"POST", "/wallet/consents", set("relocationAllowed", mark), 400, "request-invalid"},
		{"POST", "/wallet/consents", `{"child":"` + a.Child + `","mode":"alone","mode":"` + mark + `","trip":{}}`, 400, ""},
		{"POST", "/wallet/consents", `{"child":"` + a.Child + `","mode":"withOneGuardian","trip":{"departFrom":"` + mark + `","departFrom":"NPL"}}`, 400, ""},
		{"POST", "/wallet/consents", `{"child":"` + a.Child + `","mode":"withOneGuardian","trip":` + strings.Repeat(`{"`+mark+`":`, 30) + `1` + strings.Repeat("}", 30) + `}`, 400, ""},
		{"POST", "/wallet/consents/" + mark + "/sign", jsonObject{"alone": mark}, 400, "request-invalid"},
		{"POST", "/wallet/consents/" + mark + "/sign", jsonObject{mark: true}, 400, "request-invalid"},
		{"POST", "/wallet/consents/" + mark + "/sign", nil, 404, "no-such-consent"},
		{"POST", "/wallet/consents/join", jsonObject{"link": mark}, 400, "link-invalid"},
		{"POST", "/wallet/consents/join", jsonObject{"link": ""}, 400, "request-invalid"},
		{"POST", "/wallet/consents/join", jsonObject{"link": strings.Repeat(mark, 300)}, 400, "request-invalid"},
		{"POST", "/wallet/consents/join", jsonObject{"link": link.String()}, 422, "link-gone"},
		{"POST", "/wallet/shares", jsonObject{"link": mark}, 400, "link-invalid"},
		{"POST", "/wallet/shares", jsonObject{"link": link.String()}, 422, "link-gone"},
		{"PUT", "/wallet/consents/" + mark + "/witnessed", jsonObject{"credential": ""}, 400, "request-invalid"},
		{"PUT", "/wallet/consents/" + mark + "/witnessed", jsonObject{"credential": mark}, 404, "no-such-consent"},
		{"POST", "/wallet/consents/" + mark + "/share", jsonObject{"key": 1}, 400, "request-invalid"},
		{"POST", "/wallet/consents/" + mark + "/share", jsonObject{"key": mark}, 404, "no-such-consent"},
		{"GET", "/wallet/key?" + mark + "=1", nil, 400, "request-invalid"},
		{"POST", "/wallet/presentations", jsonObject{"child": a.Child, "children": []string{a.Child}}, 400, "request-invalid"},
		{"POST", "/wallet/presentations", jsonObject{"children": []string{}}, 400, "request-invalid"},
		{"POST", "/wallet/presentations", jsonObject{"children": []string{mark}}, 404, "no-such-child"},
		{"POST", "/wallet/presentations", jsonObject{"children": []string{a.Child}, "consent": mark}, 400, "presentation-terms"},
		{"POST", "/wallet/presentations", jsonObject{"child": a.Child, "consent": mark}, 404, "no-such-consent"},
		{"PUT", dropPath + mark, jsonObject{"version": 0, "content": mark}, 400, "request-invalid"},
		{"PUT", dropPath + mark, jsonObject{"version": 1, "content": "="}, 400, "drop-form"},
		{"PUT", dropPath + mark, jsonObject{"version": 1, "content": strings.Repeat("A", 300_000)}, 400, ""},
		{"POST", dropPath + mark + "/take", jsonObject{"reader": strings.Repeat(mark, 20)}, 400, "request-invalid"},
		{"POST", dropPath + mark + "/take", jsonObject{"proof": mark}, 404, "no-such-drop"},
	} {
		rec := d.call(t, "amina", c.method, c.path, c.body)
		name := fmt.Sprintf("%s %s %.70v", c.method, c.path, c.body)
		var p api.Problem
		if err := json.Unmarshal(rec.Body.Bytes(), &p); err != nil || rec.Header().Get("Content-Type") != api.MediaProblem {
			t.Errorf("%s: no problem document: %d %s", name, rec.Code, rec.Body)
			continue
		}
		if rec.Code != c.status || (c.code != "" && p.Code() != c.code) {
			t.Errorf("%s: %d %s, want %d %s", name, rec.Code, p.Code(), c.status, c.code)
		}
		if strings.Contains(strings.ToLower(rec.Body.String()), strings.ToLower(mark)) {
			t.Errorf("%s: repeats what was sent: %s", name, rec.Body)
		}
	}
	if n := count(t, d.db, "consents") + count(t, d.db, "drops"); n != 0 {
		t.Errorf("%d rows were made", n)
	}
	if n := d.o.count(""); n != requests {
		t.Errorf("%d requests were made", n-requests)
	}
	if strings.Contains(d.log.String(), mark) {
		t.Error("the log repeats what was sent")
	}
}

// Whatever links are asked for, this server connects to public hosts and one
// path only.
func TestLinksRefused(t *testing.T) {
	s := lite(t)
	s.net.loopback = false
	ok := newLink("https://wallet.example")
	if _, err := s.parseLink(" " + ok.String() + "\n"); err != nil {
		t.Error(err)
	}
	secret, id := b64.EncodeToString(ok.Secret), ok.ID
	for _, bad := range []string{
		"", "#", "https://wallet.example", "https://wallet.example/wallet/drops/" + id, "https://wallet.example/wallet/drops/" + id + "#",
		"https://wallet.example/wallet/drops/" + id + "#" + secret[:42], "https://wallet.example/wallet/drops/" + id + "#" + secret + "A",
		"https://wallet.example/wallet/drops/" + id + "#" + secret + "#x", "https://wallet.example/wallet/drops/" + id + "/take#" + secret,
		"https://wallet.example/wallet/drops/../x#" + secret, "https://wallet.example/wallet/drops/" + id + "?x=1#" + secret,
		"https://wallet.example/x/wallet/drops/" + id + "#" + secret, "https://user@wallet.example/wallet/drops/" + id + "#" + secret,
		"http://wallet.example/wallet/drops/" + id + "#" + secret, "http://127.0.0.1/wallet/drops/" + id + "#" + secret,
		"http://localhost:8080/wallet/drops/" + id + "#" + secret, "https://10.0.0.1/wallet/drops/" + id + "#" + secret,
		"https://169.254.169.254/wallet/drops/" + id + "#" + secret, "https://[::1]/wallet/drops/" + id + "#" + secret,
		"file:///wallet/drops/" + id + "#" + secret, "https:///wallet/drops/" + id + "#" + secret, "/wallet/drops/" + id + "#" + secret,
		"https://WALLET.example/wallet/drops/" + id + "#" + secret, "https://wallet.example/wallet/drops/" + id + "\n#" + secret,
		"https://wallet.example/wallet/drops/" + id + "#" + secret[:20] + "\n" + secret[20:], "https://wallet.example?/wallet/drops/" + id + "#" + secret,
		strings.Repeat("x", 3000),
	} {
		if l, err := s.parseLink(bad); faultCode2(err) != "link-invalid" {
			t.Errorf("%q is a link: %+v %v", bad, l, err)
		}
	}
}

// FuzzLink: what is read as a link is one place, written in one way.
func FuzzLink(f *testing.F) {
	l := newLink("https://wallet.example")
	for _, s := range []string{l.String(), " " + l.String(), "https://[::1]/wallet/drops/#", "#", l.String() + "x"} {
		f.Add(s)
	}
	w := &Wallet{net: newNetwork(false)}
	f.Fuzz(func(t *testing.T, text string) {
		l, err := w.parseLink(text)
		if err != nil {
			if l.Base != "" || l.ID != "" || l.Secret != nil {
				t.Error("a refusal gives a link")
			}
			return
		}
		if l.String() != strings.TrimSpace(text) {
			t.Errorf("%q is read as %q", text, l)
		}
		u, err := url.Parse(l.Base + dropPath + l.ID)
		if err != nil || u.Scheme != "https" || u.RawQuery != "" || u.User != nil || u.Path != dropPath+l.ID {
			t.Errorf("%q leads to %v", text, u)
		}
	})
}

// FuzzFolder: what somebody with the link wrote never breaks a wallet, and what
// it takes for a journey it would sign in the same bytes.
func FuzzFolder(f *testing.F) {
	now := newClock().now()
	subject := `{"childRef":"` + zainab.ref + `","grantors":[{"guardianshipCredential":"urn:uuid:6f2c7f0e-8f1c-4b5e-9a57-0d0b4d6b1c11","key":"did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK"}],"mode":"withOneGuardian","trip":` +
		trip + `,"assurance":{"level":"selfSigned"},"nonce":"AAAAAAAAAAAAAAAAAAAAAA","grantedOn":"2026-11-20"}`
	h, err := newHolder(now)
	if err != nil {
		f.Fatal(err)
	}
	hers := strings.ReplaceAll(subject, "did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK", h.DID)
	draft, err := h.draftedBy(json.RawMessage(hers))
	if err != nil {
		f.Fatal(err)
	}
	good := folder{Subject: json.RawMessage(hers), Draft: draft, Parties: []party{{Guardianship: "x"}}}
	if _, err := good.read(now); err != nil {
		f.Fatal(err)
	}
	text, err := plainJSON(good)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add([]byte(`{"subject":` + subject + `,"parties":[{"guardianship":"x"}],"draft":"x.y.z"}`))
	f.Add([]byte(`{"subject":{},"frozen":true}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var x folder
		if vc.StrictJSON(data, &x, vc.MaxDepth) != nil {
			return
		}
		s, err := x.read(now)
		if err != nil {
			return
		}
		again, err := plainJSON(s)
		if err != nil || string(again) != string(x.Subject) || len(s.Grantors) == 0 {
			t.Errorf("%s is signed as %s", x.Subject, again)
		}
	})
}

// FuzzDraft: whatever a guardian's client sends, what is drafted can be signed,
// drafting it again changes nothing, and a refusal does not repeat it.
func FuzzDraft(f *testing.F) {
	f.Add(vc.ModeOneGuardian, []byte(nil), []byte(nil), []byte(trip))
	f.Add(vc.ModeThirdParty, []byte(withRita), []byte(nil), []byte(trip))
	f.Add(vc.ModeAlone, []byte(nil), []byte(`{"name":"Sita Rai","contact":"+977"}`), []byte(trip))
	now := newClock().now()
	by := vc.Grantor{Guardianship: "urn:uuid:6f2c7f0e-8f1c-4b5e-9a57-0d0b4d6b1c11", Key: "did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK"}
	f.Fuzz(func(t *testing.T, mode string, with, receiving, journey []byte) {
		d := Draft{Mode: mode, Trip: journey}
		if len(with) > 0 {
			d.Accompanying = with
		}
		if len(receiving) > 0 {
			d.Receiving = receiving
		}
		subject, err := d.subject(by, zainab.ref, now)
		if err != nil {
			for _, x := range [][]byte{with, receiving} {
				if len(x) > 40 && strings.Contains(err.Error(), string(x)) {
					t.Errorf("%v repeats what was sent", err)
				}
			}
			return
		}
		if err := vc.ValidateSchema(vc.SchemaRegistrationTravel, subject); err != nil {
			t.Errorf("%s cannot be signed: %v", subject, err)
		}
		var c vc.TravelConsent
		if err := vc.StrictJSON(subject, &c, vc.MaxDepth); err != nil {
			t.Fatal(err)
		}
		x := reading{consent: &c, now: now}
		x.all()
		if again, err := plainJSON(c); err != nil || string(again) != string(subject) || len(x.fields) > 0 {
			t.Errorf("%s is read again as %s: %v", subject, again, x.fields)
		}
		h := consentHeld{subject: c, birth: &held{birth: &vc.Birth{}}, consentKept: consentKept{Parties: make([]party, 1), Subject: subject}}
		h.lines(now) // never breaks
	})
}

// FuzzWitnessed: nothing that is not signed by a key of the trust list is taken
// for a consent.
func FuzzWitnessed(f *testing.F) {
	f.Add("eyJhbGciOiJFZERTQSIsInR5cCI6InZjK2p3dCIsImtpZCI6ImRpZDp3ZWI6eC50ZXN0I2sifQ.e30.AAAA")
	f.Add("..")
	k, err := keys.New("key-1", keys.UseCredentials, keys.EdDSA, newClock().now(), time.Time{})
	if err != nil {
		f.Fatal(err)
	}
	pub, err := vc.PublicJWK(k.Public(), "did:web:x.test#k", keys.EdDSA)
	if err != nil {
		f.Fatal(err)
	}
	is := vc.TrustIssuer{DID: "did:web:x.test", Shelf: "https://x.test", ConsentStatus: true,
		Keys: []vc.TrustKey{{ID: "did:web:x.test#k", JWK: pub, Role: vc.RoleNotary, Types: []string{vc.TypeConsent}}}}
	w := &Wallet{cfg: Config{Now: newClock().now}, net: newNetwork(false)}
	j := &judge{w: w, trust: &vc.TrustList{Issuers: []vc.TrustIssuer{is}}, lists: map[string]*statusLists{}}
	g := vc.Grantor{Guardianship: "urn:uuid:6f2c7f0e-8f1c-4b5e-9a57-0d0b4d6b1c11", Key: "did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK"}
	f.Fuzz(func(t *testing.T, jwt string) {
		if _, _, err := j.witnessed(context.Background(), jwt, &is); err == nil {
			t.Error("a stranger's words are a witness's")
		}
		if _, err := j.signedBy(jwt, g, []byte(`{}`), &is); err == nil {
			t.Error("a stranger's words are a guardian's")
		}
		if _, err := j.record(context.Background(), jwt); err == nil {
			t.Error("a stranger's words are an office's")
		}
	})
}

const killedEnv = "KINPASS_TEST_KILLED"

// killed is what the process needs that is killed.
type killed struct {
	DB, Wrap, Consent, Act string
	Trust                  *vc.TrustList
	Now                    time.Time
}

// TestKilledHelper is no test: it is the wallet that TestConsentSurvivesKill
// kills.
func TestKilledHelper(t *testing.T) {
	text := os.Getenv(killedEnv)
	if text == "" {
		t.Skip("started by TestConsentSurvivesKill")
	}
	var k killed
	if err := json.Unmarshal([]byte(text), &k); err != nil {
		t.Fatal(err)
	}
	wrap, err := base64.StdEncoding.DecodeString(k.Wrap)
	if err != nil {
		t.Fatal(err)
	}
	w, err := New(Config{DB: storetest.Reopen(t, k.DB, "wallet"), Ring: &keys.Ring{Secrets: map[string][]byte{SecretWrap: wrap}},
		Now: func() time.Time { return k.Now }, AllowLoopback: true, TrustList: func(context.Context) (*vc.TrustList, error) { return k.Trust, nil }})
	if err != nil {
		t.Fatal(err)
	}
	switch k.Act {
	case "sign":
		_, err = w.SignConsent(t.Context(), amina, k.Consent, false)
	case "withdraw":
		err = w.WithdrawConsent(t.Context(), amina, k.Consent)
	}
	t.Logf("came to an end: %v", err)
}

// kill -9 while the office answers: the work there is done, here it is not.
func TestConsentSurvivesKill(t *testing.T) {
	db := storetest.URL(t, store.SQLite, "wallet")
	s := newScene(t, storetest.Reopen(t, db, "wallet")).hosting()
	a := s.accept(t, amina, zainab)
	d := s.draft(t, amina, Draft{Child: a.Child})
	die := func(act, path string) {
		t.Helper()
		env, err := json.Marshal(killed{DB: db, Wrap: base64.StdEncoding.EncodeToString(s.ring.Secret(SecretWrap)), Consent: d.ID, Act: act, Trust: s.o.trust, Now: s.o.clock.now()})
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(os.Args[0], "-test.run=^TestKilledHelper$", "-test.v")
		cmd.Env = append(os.Environ(), killedEnv+"="+string(env))
		started, asked := make(chan struct{}), make(chan struct{})
		s.o.set(func() {
			s.o.override[path] = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				s.o.mu.Lock()
				rec := httptest.NewRecorder()
				s.o.serve(rec, r)
				s.o.mu.Unlock()
				if rec.Code >= 300 {
					t.Errorf("the office answers %d", rec.Code)
				}
				<-started
				close(asked)
				if err := cmd.Process.Kill(); err != nil {
					t.Error(err)
				}
				<-r.Context().Done() // it hears no answer
			})
		})
		var out bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &out
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		close(started)
		err = cmd.Wait()
		select {
		case <-asked:
		default:
			t.Fatalf("it never asked: %v %s", err, out.String())
		}
		if err == nil {
			t.Fatalf("it was not killed: %s", out.String())
		}
		s.o.set(func() { delete(s.o.override, path) })
	}
	die("sign", "/consent-status")
	if k := s.kept(t, amina, d.ID); k.Sign == nil || len(k.Sign.Entries) != 0 || k.Parties[0].Consent != "" {
		t.Fatalf("after the kill: %+v", k.Sign)
	}
	c, err := s.SignConsent(t.Context(), amina, d.ID, false)
	if err != nil || c.State != consentSigned || len(s.o.reserved) != 1 {
		t.Fatalf("%+v, %d places, %v", c, len(s.o.reserved), err)
	}
	die("withdraw", "/consent-status/withdraw")
	if c, err := s.Consent(t.Context(), amina, d.ID); err != nil || c.State != consentWithdrawn || c.Usable {
		t.Fatalf("after the kill: %+v %v", c, err)
	}
	if r, err := s.Renew(t.Context(), amina); err != nil || r.Failed != 0 {
		t.Fatalf("%+v %v", r, err)
	}
	if k := s.kept(t, amina, d.ID); !k.Told {
		t.Error("the office was not told")
	}
}
