package verifier

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"image"
	"image/png"
	"io"
	"log/slog"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/textproto"
	"strings"
	"testing"
	"time"

	"github.com/kinpass/kinpass/internal/qr"
	"github.com/kinpass/kinpass/internal/serve"
	"github.com/kinpass/kinpass/internal/serve/servetest"
	"github.com/kinpass/kinpass/internal/store"
	"github.com/kinpass/kinpass/internal/store/storetest"
	"github.com/kinpass/kinpass/internal/vc"
)

// desk is a verifier's server with one token of each role.
type desk struct {
	t      *testing.T
	w      *world
	o      *office
	v      *Verifier
	server *serve.Server
	tokens map[string]string
	logs   *bytes.Buffer
}

func newDesk(t *testing.T, db *store.DB) *desk {
	t.Helper()
	w := newWorld(t)
	d := &desk{t: t, w: w, o: w.office(), logs: &bytes.Buffer{}}
	w.signTrust()
	d.v = w.verifier(db)
	d.serve(db)
	return d
}

// serve makes the server over a database.
func (d *desk) serve(db *store.DB) {
	t, w := d.t, d.w
	t.Helper()
	d.tokens = map[string]string{"": "", "bad": "kinpass_nobody"}
	for _, role := range []string{RoleOfficer, RoleAuditor, "registrar"} {
		secret, _, err := db.AddToken(context.Background(), "desk of "+role, role, time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		d.tokens[role] = secret
	}
	var err error
	d.server, err = serve.New(serve.Config{Role: "verifier", Log: slog.New(slog.NewJSONHandler(d.logs, nil)), Now: w.now, Ready: d.v.Ready, BodyLimit: BodyLimit,
		Token: func(ctx context.Context, secret string) (serve.Caller, error) {
			x, err := db.TokenBySecret(ctx, secret, w.now())
			return serve.Caller{ID: x.ID, Name: x.Name, Role: x.Role}, err
		}})
	if err != nil {
		t.Fatal(err)
	}
	Routes(d.server, d.v)
}

// ask makes a request as a role.
func (d *desk) ask(role, method, path, media string, body []byte) *httptest.ResponseRecorder {
	d.t.Helper()
	r := httptest.NewRequest(method, path, bytes.NewReader(body))
	if media != "" {
		r.Header.Set("Content-Type", media)
	}
	if token := d.tokens[role]; token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	rec := httptest.NewRecorder()
	d.server.ServeHTTP(rec, r)
	return rec
}

func (d *desk) json(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		d.t.Fatal(err)
	}
	return b
}

const jsonType = "application/json"

func TestRoutes(t *testing.T) {
	storetest.Each(t, "verifier", func(t *testing.T, db *store.DB) {
		d := newDesk(t, db)
		birth, mandate, _ := d.o.family("mother")
		father, mandate2, _ := d.o.family("father")
		code := func(nonce string) string { return d.w.present("mother", nonce+"-0123456789abcdefghij", birth, mandate) }
		confirmed := []string{"portrait", "document"}
		picture := drawn(t, code("picture-nonce-123456789"))
		form := func(parts ...[2]string) (string, []byte) {
			var b bytes.Buffer
			m := multipart.NewWriter(&b)
			for _, p := range parts {
				h := textproto.MIMEHeader{}
				h.Set("Content-Disposition", fmt.Sprintf("form-data; name=%q; filename=\"x\"", p[0]))
				part, err := m.CreatePart(h)
				if err != nil {
					t.Fatal(err)
				}
				io.WriteString(part, p[1])
			}
			m.Close()
			return m.FormDataContentType(), b.Bytes()
		}
		formType, formBody := form([2]string{"image", string(picture)}, [2]string{"facts", `{"confirm":["portrait","document"]}`})
		twoType, twoBody := form([2]string{"image", string(drawn(t, d.w.present("mother", "two-nonce-1234567890abcd", birth, mandate)))},
			[2]string{"image", string(drawn(t, d.w.present("father", "two-nonce-1234567890abce", father, mandate2)))}, [2]string{"facts", `{}`})
		oddType, oddBody := form([2]string{"picture", "x"})
		badType, badBody := form([2]string{"facts", `{"confirm":["portrait"],"confirm":[]}`})
		personal := []string{"OKELLO", "AMINA", "ERIKSSON", childRef}
		var pupils []string
		for n := range 3 {
			birth, mandate, mother := d.o.pupil(n)
			pupils = append(pupils, d.w.present(mother, fmt.Sprintf("pupil-%d-0123456789abcdef", n), birth, mandate))
		}
		groupType, groupBody := form([2]string{"image", string(drawn(t, pupils[0]))}, [2]string{"image", string(drawn(t, pupils[1]))},
			[2]string{"facts", `{"group":true,"session":"class-5b","company":"guardian"}`})

		// In order: nothing works before there is a bundle.
		cases := []struct {
			name, role, method, path, media string
			body                            []byte
			status                          int
			has, hasNot                     []string
		}{
			{"no bundle to fetch", "", "GET", "/bundle", "", nil, 503, []string{"no-bundle"}, nil},
			{"not ready", "", "GET", "/readyz", "", nil, 503, []string{"not-ready"}, nil},
			{"no bundle to check with", RoleOfficer, "POST", "/checks", jsonType, d.json(map[string]any{"presentation": code("n-0")}), 503, []string{"no-bundle"}, personal},
			{"build without token", "", "POST", "/verifier/bundles", "", nil, 401, []string{"token-invalid"}, nil},
			{"build with a bad token", "bad", "POST", "/verifier/bundles", "", nil, 401, []string{"token-invalid"}, nil},
			{"build as auditor", RoleAuditor, "POST", "/verifier/bundles", "", nil, 403, []string{"role-not-allowed"}, nil},
			{"build as another role's staff", "registrar", "POST", "/verifier/bundles", "", nil, 403, []string{"role-not-allowed"}, nil},
			{"build", RoleOfficer, "POST", "/verifier/bundles", "", nil, 201, []string{`"statusLists":2`, `"problems":[]`, `"trustListSequence":1`}, []string{childRef}},
			{"ready", "", "GET", "/readyz", "", nil, 200, []string{"ready"}, nil},
			{"bundle", "", "GET", "/bundle", "", nil, 200, []string{"."}, personal},

			{"check without token", "", "POST", "/checks", jsonType, d.json(map[string]any{"presentation": code("n-1")}), 401, []string{"token-invalid"}, personal},
			{"check as auditor", RoleAuditor, "POST", "/checks", jsonType, d.json(map[string]any{"presentation": code("n-1")}), 403, []string{"role-not-allowed"}, personal},
			{"check", RoleOfficer, "POST", "/checks", jsonType, d.json(map[string]any{"presentation": code("n-2"), "confirm": confirmed}), 200,
				[]string{`"colour":"green"`, `"code":"OK"`, `"names":["OKELLO`, `"birthDate":"2018-05-04"`, `"statusAgeSeconds":0`, `"ageSeconds":0`, `"session":"`}, []string{childRef, "did:key"}},
			{"check as an array", RoleOfficer, "POST", "/checks", jsonType, d.json(map[string]any{"presentations": []string{code("n-3")}, "confirm": confirmed}), 200, []string{`"colour":"green"`}, []string{childRef}},
			{"what the officer denies", RoleOfficer, "POST", "/checks", jsonType, d.json(map[string]any{"presentation": code("n-4"), "deny": []string{"portrait"}}), 200, []string{`"colour":"red"`, "CHILD_MISMATCH"}, nil},
			{"not a code", RoleOfficer, "POST", "/checks", jsonType, d.json(map[string]any{"presentation": "https://AMINA.example"}), 200, []string{`"colour":"amber"`, "SCAN_UNREADABLE", `"child":null`, `"statusAgeSeconds":-1`}, []string{"AMINA", "green"}},
			{"birth alone", RoleOfficer, "POST", "/checks", jsonType, d.json(map[string]any{"presentation": d.w.present("mother", "n-5-0123456789abcdefghij", birth), "confirm": confirmed}), 200, []string{`"colour":"red"`, "NO_AUTHORITY"}, []string{`"green"`}},
			{"a document in lower case", RoleOfficer, "POST", "/checks", jsonType, d.json(map[string]any{"presentation": code("n-7"), "confirm": confirmed, "adultDocuments": []string{strings.ToLower(strings.ReplaceAll(passport, "<<", "«"))}}), 200,
				[]string{`"colour":"green"`}, []string{"DOC_UNREADABLE", "hints"}},
			{"a document with a wrong digit", RoleOfficer, "POST", "/checks", jsonType, d.json(map[string]any{"presentation": code("n-8"), "confirm": confirmed, "adultDocuments": []string{passport, strings.Replace(passport, "740812", "740813", 1)}}), 200,
				[]string{`"colour":"amber"`, "DOC_UNREADABLE", `"hints":[{"path":"/adultDocuments/1","rule":"a check digit does not fit`}, []string{"740813", "L898902C3", "/adultDocuments/0"}},
			{"unknown nonce as challenge", RoleOfficer, "POST", "/checks", jsonType, d.json(map[string]any{"presentation": code("n-6"), "challenge": "n-6"}), 422, []string{"no-such-challenge"}, personal},

			{"all that an officer knows", RoleOfficer, "POST", "/checks", jsonType, d.json(map[string]any{"presentation": code("n-9"), "confirm": []string{"portrait", "document", "receiver"}, "exit": "UGA", "entry": "KEN",
				"direction": "exit", "date": "2026-11-20", "returnBy": "2026-11-27", "company": "guardian", "childNationality": "UGA", "residence": "UGA", "residenceProof": "2026-01-01",
				"companionNationality": "UGA", "companionResidence": "UGA", "post": "north-gate"}), 200, []string{`"colour":"green"`, `"policies":`, `"compare":{`}, []string{childRef, "north-gate"}},
			{"a group of two", RoleOfficer, "POST", "/checks", jsonType, d.json(map[string]any{"group": true, "presentations": []string{pupils[0], pupils[1]}, "confirm": confirmed, "session": "class-5b", "company": "guardian"}), 200,
				[]string{`{"session":"class-5b","decisions":[{"id":"`, `"names":["PUPIL\u003c\u003cA"]`, `"names":["PUPIL\u003c\u003cB"]`}, []string{"AAAAAAAAAAAAAAAAAAAA", "did:key", `"red"`}},
			{"a group of one, as a single presentation", RoleOfficer, "POST", "/checks", jsonType, d.json(map[string]any{"group": true, "presentation": pupils[2]}), 200, []string{`"decisions":[{"id":"`}, nil},
			{"a group of nobody", RoleOfficer, "POST", "/checks", jsonType, []byte(`{"group":true}`), 400, []string{"presentations-count"}, nil},
			{"a group of sixty-one", RoleOfficer, "POST", "/checks", jsonType, d.json(map[string]any{"group": true, "presentations": make([]string, 61)}), 400, []string{"request-invalid"}, nil},
			{"two pictures of a group", RoleOfficer, "POST", "/checks", groupType, groupBody, 200, []string{`"decisions":[{"id":"`, `"names":["PUPIL\u003c\u003cA"]`, `"names":["PUPIL\u003c\u003cB"]`}, []string{"AAAAAAAAAAAAAAAAAAAA"}},
			{"company that is none", RoleOfficer, "POST", "/checks", jsonType, []byte(`{"presentation":"AMINA","company":"OKELLO"}`), 400, []string{"request-invalid", "/body/company"}, personal},
			{"direction that is none", RoleOfficer, "POST", "/checks", jsonType, []byte(`{"presentation":"AMINA","direction":"OKELLO"}`), 400, []string{"request-invalid", "/body/direction"}, personal},
			{"nationality that is none", RoleOfficer, "POST", "/checks", jsonType, []byte(`{"presentation":"AMINA","companionNationality":"OKELLO"}`), 400, []string{"request-invalid", "/body/companionNationality"}, personal},
			{"a proof of no day", RoleOfficer, "POST", "/checks", jsonType, []byte(`{"presentation":"AMINA","residenceProof":"2026-02-30"}`), 400, []string{"body-invalid", "/residenceProof"}, personal},
			{"group that is a word", RoleOfficer, "POST", "/checks", jsonType, []byte(`{"presentation":"AMINA","group":"OKELLO"}`), 400, []string{"request-invalid"}, personal},
			{"group twice", RoleOfficer, "POST", "/checks", jsonType, []byte(`{"presentation":"AMINA","group":true,"group":false}`), 400, []string{"body-invalid"}, personal},

			{"nothing shown", RoleOfficer, "POST", "/checks", jsonType, []byte(`{}`), 400, []string{"presentations-count"}, nil},
			{"five holders", RoleOfficer, "POST", "/checks", jsonType, d.json(map[string]any{"presentation": "x", "presentations": []string{"a", "b", "c", "d"}}), 400, []string{"presentations-count"}, nil},
			{"no JSON", RoleOfficer, "POST", "/checks", jsonType, []byte(`AMINA`), 400, []string{"request-invalid"}, personal},
			{"a member twice", RoleOfficer, "POST", "/checks", jsonType, []byte(`{"presentation":"AMINA","deny":["portrait"],"deny":[]}`), 400, []string{"body-invalid"}, personal},
			{"a member that is not known", RoleOfficer, "POST", "/checks", jsonType, []byte(`{"presentation":"AMINA","confrim":["portrait"]}`), 400, []string{"request-invalid"}, personal},
			{"a word that is not known", RoleOfficer, "POST", "/checks", jsonType, []byte(`{"presentation":"AMINA","confirm":["OKELLO"]}`), 400, []string{"request-invalid"}, personal},
			{"a country that is none", RoleOfficer, "POST", "/checks", jsonType, []byte(`{"presentation":"AMINA","exit":"OKELLO"}`), 400, []string{"request-invalid", "/body/exit"}, personal},
			{"a day that is none", RoleOfficer, "POST", "/checks", jsonType, []byte(`{"presentation":"AMINA","date":"2026-02-30"}`), 400, []string{"/date"}, personal},
			{"a document without end", RoleOfficer, "POST", "/checks", jsonType, d.json(map[string]any{"presentation": "x", "adultDocuments": []string{strings.Repeat("P<", 600)}}), 400, []string{"request-invalid"}, []string{"P<P<"}},
			{"another media type", RoleOfficer, "POST", "/checks", "application/x-www-form-urlencoded", []byte("presentation=AMINA"), 415, []string{"media-type"}, personal},
			{"no media type", RoleOfficer, "POST", "/checks", "", []byte("AMINA"), 415, []string{"media-type"}, personal},

			{"picture", RoleOfficer, "POST", "/checks", "image/png", picture, 200, []string{`"id":"`, `"names":["OKELLO`}, []string{childRef}},
			{"picture and facts: used in another session", RoleOfficer, "POST", "/checks", formType, formBody, 200, []string{"PRESENTATION_REPEATED", `"names":["OKELLO`}, []string{childRef}},
			{"two pictures", RoleOfficer, "POST", "/checks", twoType, twoBody, 200, []string{`"id":"`, `"names":["OKELLO`}, []string{childRef}},
			{"picture without a code", RoleOfficer, "POST", "/checks", "image/png", blank(t), 200, []string{"SCAN_UNREADABLE", `"colour":"amber"`}, []string{"green"}},
			{"no picture", RoleOfficer, "POST", "/checks", "image/png", []byte("\x89PNG\r\n\x1a\nAMINA"), 400, []string{"image-invalid"}, personal},
			{"half a picture", RoleOfficer, "POST", "/checks", "image/png", picture[:len(picture)/2], 400, []string{"image-invalid"}, personal},
			{"a picture of a billion pixels", RoleOfficer, "POST", "/checks", "image/png", huge(), 413, []string{"image-too-large"}, nil},
			{"picture of too many bytes", RoleOfficer, "POST", "/checks", "image/png", make([]byte, maxImage+1), 413, []string{"body-too-large"}, nil},
			{"form with another part", RoleOfficer, "POST", "/checks", oddType, oddBody, 400, []string{"body-invalid"}, nil},
			{"form with facts twice over", RoleOfficer, "POST", "/checks", badType, badBody, 400, []string{"body-invalid"}, nil},
			{"form that is none", RoleOfficer, "POST", "/checks", "multipart/form-data; boundary=x", []byte("AMINA"), 400, []string{"body-invalid"}, personal},

			{"challenge without token", "", "POST", "/verifier/challenges", "", nil, 401, nil, []string{"nonce"}},
			{"challenge as auditor", RoleAuditor, "POST", "/verifier/challenges", "", nil, 403, nil, []string{"nonce"}},
			{"challenge", RoleOfficer, "POST", "/verifier/challenges", "", nil, 201, []string{`"nonce":"`, `"expiresAt":"2026-11-20T10:05:00Z"`}, nil},

			{"bring a bundle without token", "", "PUT", "/verifier/bundle", "application/octet-stream", []byte("x"), 401, nil, nil},
			{"bring a bundle as auditor", RoleAuditor, "PUT", "/verifier/bundle", "application/octet-stream", []byte("x"), 403, nil, nil},
			{"bring something else", RoleOfficer, "PUT", "/verifier/bundle", "application/octet-stream", []byte("AMINA"), 400, []string{"bundle-invalid"}, personal},
			{"bring nothing", RoleOfficer, "PUT", "/verifier/bundle", "application/octet-stream", nil, 400, nil, nil},
			{"bring JSON", RoleOfficer, "PUT", "/verifier/bundle", jsonType, []byte(`{}`), 415, []string{"media-type"}, nil},
			{"bring the one in force", RoleOfficer, "PUT", "/verifier/bundle", "application/octet-stream", []byte("(bundle)"), 409, []string{"bundle-older"}, nil},

			{"records without token", "", "GET", "/verifier/checks", "", nil, 401, nil, []string{"checks\":"}},
			{"records as another role's staff", "registrar", "GET", "/verifier/checks", "", nil, 403, nil, []string{"checks\":"}},
			{"records", RoleAuditor, "GET", "/verifier/checks", "", nil, 200, []string{`"checks":[{"id":"`, `"colour":"green"`, `"codes":["OK"]`, "NO_AUTHORITY"}, append([]string{"did:key", "KP1:", "session", "names"}, personal...)},
			{"one record", RoleOfficer, "GET", "/verifier/checks?limit=1", "", nil, 200, []string{`"checks":[{`}, []string{"},{"}},
			{"records without measure", RoleOfficer, "GET", "/verifier/checks?limit=5000", "", nil, 400, []string{"/query/limit"}, nil},
			{"records after one that is not there", RoleOfficer, "GET", "/verifier/checks?before=AMINA", "", nil, 404, []string{"no-such-check"}, personal},
			{"another role's path", RoleOfficer, "GET", "/births/x", "", nil, 404, []string{"not-found"}, nil},
			{"another method", RoleOfficer, "DELETE", "/verifier/checks", "", nil, 405, nil, nil},
		}
		for _, c := range cases {
			if string(c.body) == "(bundle)" {
				b, err := d.v.Latest(context.Background())
				if err != nil {
					t.Fatal(err)
				}
				c.body = b.Bytes
			}
			res := d.ask(c.role, c.method, c.path, c.media, c.body)
			body := res.Body.String()
			if res.Code != c.status {
				t.Errorf("%s: %d, want %d: %.300s", c.name, res.Code, c.status, body)
				continue
			}
			for _, s := range c.has {
				if !strings.Contains(body, s) {
					t.Errorf("%s: the answer lacks %s: %.500s", c.name, s, body)
				}
			}
			for _, s := range c.hasNot {
				if strings.Contains(body, s) {
					t.Errorf("%s: the answer holds %s", c.name, s)
				}
			}
			if c.path != "/bundle" && res.Code < 300 && res.Header().Get("Cache-Control") != "no-store" && c.path != "/readyz" {
				t.Errorf("%s: Cache-Control %q", c.name, res.Header().Get("Cache-Control"))
			}
		}
		for _, s := range append([]string{"did:key", "KP1:", "PUPIL", "class-5b", "north-gate", "L898902C3", d.tokens[RoleOfficer]}, personal...) {
			if strings.Contains(d.logs.String(), s) {
				t.Errorf("the log holds %s", s)
			}
		}
	})
}

// Whatever stands in the place of a fact is refused without being repeated, or
// taken for what it is.
func TestHostileFacts(t *testing.T) {
	d := newDesk(t, storetest.Open(t, store.SQLite, "verifier"))
	d.w.build(d.v)
	const secret = servetest.Secret
	values := []string{`"` + secret + `"`, `["` + secret + `"]`, `{"` + secret + `":"` + secret + `"}`, `null`, `-1`, `1e400`, `true`, `""`, `[]`, `"\u0000` + secret + `"`,
		`"` + strings.Repeat(secret, 20_000) + `"`, strings.Repeat("[", 200) + strings.Repeat("]", 200), `["` + strings.Repeat(secret+`","`, 500) + `"]`}
	for _, member := range []string{"presentation", "presentations", "group", "confirm", "deny", "adultDocuments", "exit", "entry", "direction", "date", "returnBy", "company",
		"childNationality", "residence", "residenceProof", "companionNationality", "companionResidence", "session", "post", "challenge", secret, "Group", "group ", "fields"} {
		for _, v := range values {
			for _, rest := range []string{`"presentation":"x",`, `"presentation":"x","group":true,`, ``} {
				body := `{` + rest + `"` + member + `":` + v + `}`
				res := d.ask(RoleOfficer, "POST", "/checks", jsonType, []byte(body))
				answer := res.Body.String()
				if res.Code >= 500 || res.Code < 200 || res.Code == 200 && !strings.Contains(answer, `"colour"`) {
					t.Errorf("%s %.30s: %d %.200s", member, v, res.Code, answer)
				}
				// The session is the officer's own and comes back with a decision.
				if strings.Contains(answer, secret) && !(member == "session" && res.Code == 200) {
					t.Errorf("%s %.30s: repeated: %.200s", member, v, answer)
				}
			}
		}
	}
	if strings.Contains(d.logs.String(), secret) {
		t.Error("the log repeats what was sent")
	}
}

// untouched fails the test when a body is read that must not be.
type untouched struct{ t *testing.T }

func (u untouched) Read([]byte) (int, error) {
	u.t.Error("the body was read")
	return 0, io.EOF
}

func TestLargeBodiesAreRefusedUnread(t *testing.T) {
	d := newDesk(t, storetest.Open(t, store.SQLite, "verifier"))
	for _, c := range []struct {
		name, role, method, path, media string
		length                          int64
		status                          int
	}{
		{"a bundle without token", "", "PUT", "/verifier/bundle", "application/octet-stream", 60 << 20, 401},
		{"a bundle with a bad token", "bad", "PUT", "/verifier/bundle", "application/octet-stream", 60 << 20, 401},
		{"a bundle from an auditor", RoleAuditor, "PUT", "/verifier/bundle", "application/octet-stream", 60 << 20, 403},
		{"a bundle elsewhere", "", "PUT", "/checks", "application/octet-stream", 60 << 20, 401},
		{"facts without measure", RoleOfficer, "POST", "/checks", jsonType, 1 << 20, 413},
		{"facts without measure or token", "", "POST", "/checks", jsonType, 1 << 20, 413},
		{"pictures without measure", RoleOfficer, "POST", "/checks", "image/png", 60 << 20, 413},
		{"something on another path", "", "POST", "/verifier/challenges", jsonType, 60 << 20, 413},
	} {
		r := httptest.NewRequest(c.method, c.path, untouched{t})
		r.ContentLength = c.length
		r.Header.Set("Content-Type", c.media)
		if token := d.tokens[c.role]; token != "" {
			r.Header.Set("Authorization", "Bearer "+token)
		}
		rec := httptest.NewRecorder()
		d.server.ServeHTTP(rec, r)
		if rec.Code != c.status {
			t.Errorf("%s: %d, want %d: %s", c.name, rec.Code, c.status, rec.Body)
		}
	}
	// One that does not say how long it is.
	r := httptest.NewRequest("POST", "/checks", io.LimitReader(endless{}, 100<<20))
	r.ContentLength = -1
	r.Header.Set("Content-Type", jsonType)
	r.Header.Set("Authorization", "Bearer "+d.tokens[RoleOfficer])
	rec := httptest.NewRecorder()
	d.server.ServeHTTP(rec, r)
	if rec.Code != 413 {
		t.Errorf("an endless body: %d %s", rec.Code, rec.Body)
	}
}

type endless struct{}

func (endless) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = ' '
	}
	return len(b), nil
}

func TestBundleIsCachedByItsContent(t *testing.T) {
	d := newDesk(t, storetest.Open(t, store.SQLite, "verifier"))
	d.w.build(d.v)
	first := d.ask("", "GET", "/bundle", "", nil)
	tag := first.Header().Get("ETag")
	if first.Code != 200 || tag == "" || first.Header().Get("Content-Type") != "application/octet-stream" {
		t.Fatalf("%d %q %q", first.Code, tag, first.Header().Get("Content-Type"))
	}
	r := httptest.NewRequest("GET", "/bundle", nil)
	r.Header.Set("If-None-Match", tag)
	rec := httptest.NewRecorder()
	d.server.ServeHTTP(rec, r)
	if rec.Code != http.StatusNotModified || rec.Body.Len() != 0 {
		t.Fatalf("with its tag: %d", rec.Code)
	}
	d.w.wait(time.Minute)
	d.w.build(d.v)
	rec = httptest.NewRecorder()
	d.server.ServeHTTP(rec, r)
	if rec.Code != 200 || rec.Header().Get("ETag") == tag {
		t.Fatalf("after the next build: %d", rec.Code)
	}
}

// A bundle fetched from one verifier is carried to another that has no network.
func TestBundleOnAStick(t *testing.T) {
	d := newDesk(t, storetest.Open(t, store.SQLite, "verifier"))
	d.w.build(d.v)
	file := d.ask("", "GET", "/bundle", "", nil).Body.Bytes()
	post := newDesk(t, storetest.Open(t, store.SQLite, "verifier"))
	post.v.cfg.Anchors = d.v.cfg.Anchors
	res := post.ask(RoleOfficer, "PUT", "/verifier/bundle", "application/octet-stream", file)
	if res.Code != 200 || !strings.Contains(res.Body.String(), `"sequence":`) {
		t.Fatalf("%d %s", res.Code, res.Body)
	}
	birth, mandate, _ := d.o.family("mother")
	res = post.ask(RoleOfficer, "POST", "/checks", jsonType, post.json(map[string]any{"presentation": d.w.present("mother", nonce, birth, mandate), "confirm": []string{"portrait", "document"}}))
	if res.Code != 200 || !strings.Contains(res.Body.String(), `"colour":"green"`) {
		t.Fatalf("%d %s", res.Code, res.Body)
	}
}

func drawn(t *testing.T, text string) []byte {
	t.Helper()
	img, err := qr.Draw(text, qr.Screen)
	if err != nil {
		t.Fatal(err)
	}
	data, err := img.PNG(6)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// blank is a grey picture with nothing on it.
func blank(t *testing.T) []byte {
	t.Helper()
	img := image.NewGray(image.Rect(0, 0, 300, 300))
	for i := range img.Pix {
		img.Pix[i] = 200 + byte(i%50)
	}
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// huge is the head of a PNG file that says it has 65,535 by 65,535 pixels.
func huge() []byte {
	head := []byte("IHDR\x00\x00\xff\xff\x00\x00\xff\xff\x08\x00\x00\x00\x00")
	out := append([]byte("\x89PNG\r\n\x1a\n\x00\x00\x00\x0d"), head...)
	return binary.BigEndian.AppendUint32(out, crc32.ChecksumIEEE(head))
}

// TestBundleMetrics: who watches a hub sees how old its bundle is, and which issuer
// takes revocations back on which list, but not whose.
func TestBundleMetrics(t *testing.T) {
	d := newDesk(t, storetest.Open(t, store.SQLite, "verifier"))
	metrics := func() string { return d.ask("", "GET", "/metrics", "", nil).Body.String() }
	if strings.Contains(metrics(), "kinpass_verifier_bundle") {
		t.Error("metrics of no bundle")
	}
	bits := d.o.bits[vc.PurposeRevocation]
	if err := bits.Set(77_777); err != nil {
		t.Fatal(err)
	}
	d.w.build(d.v)
	if m := metrics(); !strings.Contains(m, "\nkinpass_verifier_bundle_lists 2\n") || !strings.Contains(m, "\nkinpass_verifier_bundle_created_seconds ") || strings.Contains(m, "\nkinpass_verifier_revocations_lifted") {
		t.Error(m)
	}
	if err := bits.Clear(77_777); err != nil {
		t.Fatal(err)
	}
	d.w.wait(time.Minute)
	d.w.build(d.v)
	want := fmt.Sprintf("\nkinpass_verifier_revocations_lifted{issuer=%q,list=%q} 1\n", d.o.did, d.o.listURL(vc.PurposeRevocation))
	if m := metrics(); !strings.Contains(m, want) || strings.Contains(m, "77777") {
		t.Errorf("no %s", want)
	}
}
