package wallet

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kinpass/kinpass/internal/did"
	"github.com/kinpass/kinpass/internal/keys"
	"github.com/kinpass/kinpass/internal/store"
	"github.com/kinpass/kinpass/internal/store/storetest"
)

// dump gives every value of every table, and on SQLite the files as well.
func dump(t *testing.T, db *store.DB, url string) []byte {
	t.Helper()
	q := `SELECT name FROM sqlite_master WHERE type = 'table'`
	if db.Engine == store.Postgres {
		q = `SELECT table_name FROM information_schema.tables WHERE table_schema = 'wallet'`
	}
	tables, err := ids(db.Query(q))
	if err != nil || len(tables) < 7 {
		t.Fatalf("tables: %v %v", tables, err)
	}
	var out bytes.Buffer
	for _, table := range tables {
		rows, err := db.Query(`SELECT * FROM ` + table)
		if err != nil {
			t.Fatal(err)
		}
		cols, err := rows.Columns()
		if err != nil {
			t.Fatal(err)
		}
		for rows.Next() {
			vals := make([]any, len(cols))
			for i := range vals {
				vals[i] = new(any)
			}
			if err := rows.Scan(vals...); err != nil {
				t.Fatal(err)
			}
			for _, v := range vals {
				switch x := (*v.(*any)).(type) {
				case []byte:
					out.Write(x)
				default:
					fmt.Fprint(&out, x)
				}
				out.WriteByte(0)
			}
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
	}
	if path, ok := strings.CutPrefix(url, "sqlite:"); ok {
		files, err := filepath.Glob(path + "*")
		if err != nil || len(files) == 0 {
			t.Fatal("no database files")
		}
		for _, f := range files {
			b, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			out.Write(b)
		}
	}
	return out.Bytes()
}

// A copied database shows no name, date, number, identifier, key or token.
func TestSealedAtRest(t *testing.T) {
	for _, engine := range []string{store.SQLite, store.Postgres} {
		t.Run(engine, func(t *testing.T) {
			url := storetest.URL(t, engine, "wallet")
			s := inParts(newScene(t, storetest.Reopen(t, url, "wallet")))
			a := s.accept(t, amina, zainab)
			s.accept(t, amina, tariq)
			if _, err := s.Disclose(t.Context(), amina, Choice{Credential: s.held1(t, a, "BirthCredentialSD"), Show: "age", Audience: asker, Nonce: asked}); err != nil {
				t.Fatal(err)
			}
			ref := s.o.byReference(s.o.offer(zainab))
			if _, err := s.Accept(t.Context(), bilal, ref, pin); err != nil {
				t.Fatal(err)
			}
			if _, err := s.Present(t.Context(), amina, Request{Child: a.Child}); err != nil {
				t.Fatal(err)
			}
			// An offer that is not finished is sealed as well.
			link := s.o.offer(tariq)
			s.o.set(func() { s.o.drop["/credential"] = 5 })
			if _, err := s.Accept(t.Context(), bilal, link, pin); err == nil {
				t.Fatal("no open grant")
			}
			s.o.set(func() { s.o.drop["/credential"] = 0; s.o.life = s.o.life / 10 })
			if _, err := s.Renew(t.Context(), amina); err != nil {
				t.Fatal(err)
			}
			got := dump(t, s.db, url)
			if !contains(got, amina.ID) || !contains(got, a.Child) {
				t.Fatal("the dump is not one")
			}
			secrets := map[string]string{"pin": pin, "issuer": s.o.did, "address": s.o.srv.URL, "host": strings.TrimPrefix(s.o.srv.URL, "http://"),
				"any did": "did:", "urn": "urn:uuid:", "type": "Credential\"", "role": "mother", "issuer name": "Civil register", "power": "travelAccompany",
				"guardian": "AMINA", "guardian's name": "Amina", "jwt": "eyJ", "proof": "ecdsa-sd-2023", "verifier": asker, "nonce": asked, "service key": string(s.ring.Secret(SecretWrap))}
			for _, c := range []child{zainab, tariq} {
				raw, err := base64.RawURLEncoding.DecodeString(c.ref)
				if err != nil {
					t.Fatal(err)
				}
				for name, v := range map[string]string{"ref": c.ref, "raw ref": string(raw), "given": c.given, "family": c.family, "native": c.native,
					"primary": c.primary, "secondary": c.secondary, "born": c.born, "number": c.number, "passport": c.passport} {
					secrets[name+" of "+c.given] = v
				}
			}
			for code, d := range s.o.offers {
				secrets["code "+code], secrets["access "+code], secrets["refresh "+code], secrets["uri "+code] = code, d.access, d.refresh, d.uri
			}
			for _, g := range []Guardian{amina, bilal} {
				v, err := s.vault(t.Context(), g.ID)
				if err != nil {
					t.Fatal(err)
				}
				h, err := s.holderOf(t.Context(), v)
				if err != nil {
					t.Fatal(err)
				}
				pub, err := did.ParseKey(h.DID)
				if err != nil {
					t.Fatal(err)
				}
				secrets["holder "+g.ID], secrets["holder key "+g.ID] = h.DID, string(h.PKCS8)
				secrets["private half "+g.ID], secrets["public half "+g.ID] = string(h.PKCS8[len(h.PKCS8)-32:]), string(pub.(ed25519.PublicKey))
				secrets["lookup "+g.ID] = string(v.lookup)
				var x wrapped
				if err := s.db.QueryRow(`SELECT key_id, wrap_id, wrapped FROM guardians WHERE id = $1`, g.ID).Scan(&x.keyID, &x.wrapID, &x.sealed); err != nil {
					t.Fatal(err)
				}
				dataKey, err := unwrap(g.ID, x, s.wraps)
				if err != nil {
					t.Fatal(err)
				}
				secrets["data key "+g.ID] = string(dataKey)
			}
			for name, v := range secrets {
				if v == "" {
					t.Errorf("nothing to look for: %s", name)
				} else if contains(got, v) {
					t.Errorf("the database shows: %s", name)
				}
			}
		})
	}
}

// Two guardians of one child have nothing in common in the database.
func TestLookupsAreUnlinkable(t *testing.T) {
	s := lite(t)
	s.accept(t, amina, zainab)
	s.accept(t, bilal, zainab)
	n := 0
	if err := s.db.QueryRow(`SELECT COUNT(DISTINCT ref_key) FROM child_refs`).Scan(&n); err != nil || n != 2 {
		t.Errorf("%d lookup keys for a child of two guardians (%v)", n, err)
	}
}

// What is sealed opens in its own row only.
func TestSealedRows(t *testing.T) {
	each(t, func(t *testing.T, s scene) {
		a := s.accept(t, amina, zainab)
		b := s.accept(t, amina, tariq)
		c := s.accept(t, bilal, zainab)
		exec := func(q string, args ...any) {
			t.Helper()
			if _, err := s.db.Exec(q, args...); err != nil {
				t.Fatal(err)
			}
		}
		sealed := func(id string) []byte {
			t.Helper()
			var out []byte
			if err := s.db.QueryRow(`SELECT sealed FROM credentials WHERE id = $1`, id).Scan(&out); err != nil {
				t.Fatal(err)
			}
			return out
		}
		own := sealed(a.Credentials[0].ID)
		for name, other := range map[string][]byte{
			"another row of the guardian": sealed(b.Credentials[0].ID),
			"a row of another guardian":   sealed(c.Credentials[0].ID),
			"empty":                       {},
			"short":                       own[:20],
			"cut":                         own[:len(own)-1],
			"longer":                      append(bytes.Clone(own), 0),
			"nonce changed":               flip(own, 3),
			"text changed":                flip(own, 40),
			"tag changed":                 flip(own, len(own)-1),
		} {
			exec(`UPDATE credentials SET sealed = $1 WHERE id = $2`, other, a.Credentials[0].ID)
			if _, err := s.Credential(t.Context(), amina, a.Credentials[0].ID); !errors.Is(err, errUnsealed) {
				t.Errorf("%s: %v", name, err)
			}
			if _, err := s.Credentials(t.Context(), amina); err == nil {
				t.Errorf("%s: the list opens", name)
			}
			if _, err := s.Present(t.Context(), amina, Request{Child: a.Child}); err == nil {
				t.Errorf("%s: presented", name)
			}
		}
		exec(`UPDATE credentials SET sealed = $1 WHERE id = $2`, own, a.Credentials[0].ID)
		if _, err := s.Credential(t.Context(), amina, a.Credentials[0].ID); err != nil {
			t.Fatal(err)
		}
		// A row that is moved to another guardian is as good as damaged.
		exec(`UPDATE credentials SET guardian = $1 WHERE id = $2`, bilal.ID, a.Credentials[0].ID)
		if _, err := s.Credential(t.Context(), bilal, a.Credentials[0].ID); !errors.Is(err, errUnsealed) {
			t.Errorf("moved: %v", err)
		}
		exec(`UPDATE credentials SET guardian = $1 WHERE id = $2`, amina.ID, a.Credentials[0].ID)
		// So is a data key.
		exec(`UPDATE guardians SET wrapped = (SELECT wrapped FROM guardians WHERE id = $1), key_id = (SELECT key_id FROM guardians WHERE id = $1) WHERE id = $2`, bilal.ID, amina.ID)
		if _, err := s.Credentials(t.Context(), amina); !errors.Is(err, errUnsealed) {
			t.Errorf("data key of another guardian: %v", err)
		}
	})
}

func flip(b []byte, i int) []byte {
	c := bytes.Clone(b)
	c[i] ^= 1
	return c
}

func TestDelete(t *testing.T) {
	each(t, func(t *testing.T, s scene) {
		a := s.accept(t, amina, zainab)
		other := s.accept(t, bilal, zainab)
		var old []byte
		if err := s.db.QueryRow(`SELECT wrapped FROM guardians WHERE id = $1`, amina.ID).Scan(&old); err != nil {
			t.Fatal(err)
		}
		if err := s.Delete(t.Context(), amina); err != nil {
			t.Fatal(err)
		}
		for _, table := range []string{"guardians", "holder_keys", "grants", "children", "child_refs", "credentials"} {
			column := "guardian"
			if table == "guardians" {
				column = "id"
			}
			n := 0
			if err := s.db.QueryRow(`SELECT COUNT(*) FROM `+table+` WHERE `+column+` = $1`, amina.ID).Scan(&n); err != nil || n != 0 {
				t.Errorf("%d rows left in %s (%v)", n, table, err)
			}
		}
		if err := s.Delete(t.Context(), amina); err != nil {
			t.Errorf("deleting nothing: %v", err)
		}
		_, err := s.Credential(t.Context(), amina, a.Credentials[0].ID)
		mustCode(t, err, "no-such-credential")
		_, err = s.Present(t.Context(), amina, Request{Child: a.Child})
		mustCode(t, err, "no-such-child")
		if list, err := s.Credentials(t.Context(), amina); err != nil || len(list) != 0 {
			t.Errorf("credentials after deletion: %v %v", list, err)
		}
		if _, err := s.Credential(t.Context(), bilal, other.Credentials[0].ID); err != nil {
			t.Errorf("the other guardian lost something: %v", err)
		}
		// A wallet made anew has other keys, ids and holder.
		b := s.accept(t, amina, zainab)
		if b.Child == a.Child {
			t.Error("the child has its old id")
		}
		var fresh []byte
		if err := s.db.QueryRow(`SELECT wrapped FROM guardians WHERE id = $1`, amina.ID).Scan(&fresh); err != nil || bytes.Equal(old, fresh) {
			t.Error("the old data key is back")
		}
	})
}

// The page that held a data key holds it no longer once the wallet is deleted.
func TestDeleteLeavesNoKey(t *testing.T) {
	url := storetest.URL(t, store.SQLite, "wallet")
	db := storetest.Reopen(t, url, "wallet")
	s := newScene(t, db)
	s.accept(t, amina, zainab)
	var key []byte
	if err := db.QueryRow(`SELECT wrapped FROM guardians WHERE id = $1`, amina.ID).Scan(&key); err != nil {
		t.Fatal(err)
	}
	if !contains(dump(t, db, url), string(key)) {
		t.Fatal("the key is not in the files before")
	}
	if err := s.Delete(t.Context(), amina); err != nil {
		t.Fatal(err)
	}
	var busy, log, done int
	if err := db.QueryRow(`PRAGMA wal_checkpoint(TRUNCATE)`).Scan(&busy, &log, &done); err != nil || busy != 0 {
		t.Fatal(busy, err)
	}
	if contains(dump(t, db, url), string(key)) {
		t.Error("the wrapped data key is still in the files")
	}
}

func TestDeleteCredential(t *testing.T) {
	each(t, func(t *testing.T, s scene) {
		link := s.o.offer(zainab)
		a, err := s.Accept(t.Context(), amina, link, pin)
		if err != nil {
			t.Fatal(err)
		}
		s.accept(t, amina, tariq)
		for i, c := range a.Credentials {
			if err := s.DeleteCredential(t.Context(), amina, c.ID); err != nil {
				t.Fatal(err)
			}
			mustCode(t, s.DeleteCredential(t.Context(), amina, c.ID), "no-such-credential")
			_, err := s.Credential(t.Context(), amina, c.ID)
			mustCode(t, err, "no-such-credential")
			if i < 3 {
				// The offer gives what is left of it.
				again, err := s.Accept(t.Context(), amina, link, pin)
				if err != nil || len(again.Credentials) != 3-i {
					t.Errorf("after %d deletions: %d credentials, %v", i+1, len(again.Credentials), err)
				}
			}
		}
		for table, want := range map[string]int{"credentials": 4, "grants": 1, "children": 1, "child_refs": 1, "guardians": 1} {
			if n := count(t, s.db, table); n != want {
				t.Errorf("%d rows in %s, want %d", n, table, want)
			}
		}
		if kids, err := s.Children(t.Context(), amina); err != nil || len(kids) != 1 || kids[0].Names[0] != "Tariq Hassan" {
			t.Errorf("children %v %v", kids, err)
		}
		// Nothing of the offer is left, so it starts from the beginning.
		again, err := s.Accept(t.Context(), amina, link, pin)
		if err != nil || again.Child == a.Child || len(again.Credentials) != 4 {
			t.Errorf("accepted after deletion: %v", err)
		}
	})
}

func TestRewrap(t *testing.T) {
	each(t, func(t *testing.T, s scene) {
		a := s.accept(t, amina, zainab)
		s.accept(t, bilal, tariq)
		rotated := newRing(t)
		rotated.Secrets[SecretWrapPrevious] = s.ring.Secret(SecretWrap)
		both := newWallet(t, s.db, rotated, s.o)
		if _, err := both.Credential(t.Context(), amina, a.Credentials[0].ID); err != nil {
			t.Fatalf("in between: %v", err)
		}
		for i, want := range []int{2, 0} {
			n, err := both.Rewrap(t.Context())
			if err != nil || n != want {
				t.Fatalf("round %d: %d %v", i, n, err)
			}
		}
		delete(rotated.Secrets, SecretWrapPrevious)
		after := newWallet(t, s.db, rotated, s.o)
		if _, err := after.Credential(t.Context(), amina, a.Credentials[0].ID); err != nil {
			t.Errorf("with the new key alone: %v", err)
		}
		if kids, err := after.Children(t.Context(), bilal); err != nil || len(kids) != 1 {
			t.Errorf("with the new key alone: %v", err)
		}
		if _, err := s.Credentials(t.Context(), amina); !errors.Is(err, ErrWrapKey) {
			t.Errorf("with the old key: %v", err)
		}
		if n, err := newWallet(t, s.db, newRing(t), s.o).Rewrap(t.Context()); !errors.Is(err, ErrWrapKey) || n != 0 {
			t.Errorf("a stranger's key rewrapped %d: %v", n, err)
		}
	})
}

func TestNewNeedsServiceKey(t *testing.T) {
	for name, ring := range map[string]*keys.Ring{
		"none": nil, "empty": {}, "short": {Secrets: map[string][]byte{SecretWrap: make([]byte, 16)}},
		"previous only": {Secrets: map[string][]byte{SecretWrapPrevious: make([]byte, 32)}},
	} {
		if w, err := New(Config{Ring: ring}); !errors.Is(err, ErrWrapKey) || w != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What was accepted survives a restart, and another process sees it.
func TestRestart(t *testing.T) {
	for _, engine := range []string{store.SQLite, store.Postgres} {
		t.Run(engine, func(t *testing.T) {
			url := storetest.URL(t, engine, "wallet")
			s := newScene(t, storetest.Reopen(t, url, "wallet"))
			link := s.o.offer(zainab)
			s.o.set(func() { s.o.drop["/credential"] = 5 })
			if _, err := s.Accept(t.Context(), amina, link, pin); err == nil {
				t.Fatal("nothing was interrupted")
			}
			s.o.set(func() { s.o.drop["/credential"] = 0 })
			s.o.clock.add(15 * time.Minute)
			s.db.Close()
			w := newWallet(t, storetest.Reopen(t, url, "wallet"), s.ring, s.o)
			a, err := w.Accept(t.Context(), amina, link, pin)
			if err != nil {
				t.Fatalf("finishing after a restart: %v", err)
			}
			again := newWallet(t, storetest.Reopen(t, url, "wallet"), s.ring, s.o)
			if c, err := again.Credential(t.Context(), amina, a.Credentials[0].ID); err != nil || c.JWT == "" {
				t.Errorf("after a restart: %v", err)
			}
			if _, err := again.Present(t.Context(), amina, Request{Child: a.Child}); err != nil {
				t.Errorf("presenting after a restart: %v", err)
			}
		})
	}
}

// Two processes make a guardian's wallet at once: one data key results.
func TestEnterAtOnce(t *testing.T) {
	each(t, func(t *testing.T, s scene) {
		got := make(chan string, 8)
		for range 8 {
			go func() {
				v, err := s.enter(context.Background(), amina.ID)
				if err != nil {
					got <- err.Error()
					return
				}
				got <- v.keyID
			}()
		}
		first := <-got
		for range 7 {
			if k := <-got; k != first {
				t.Errorf("two data keys: %s, %s", first, k)
			}
		}
		if count(t, s.db, "holder_keys") != 1 {
			t.Error("more than one holder key")
		}
	})
}

func TestNameIsInjective(t *testing.T) {
	seen := map[string][]string{}
	for _, parts := range [][]string{{}, {""}, {"", ""}, {"a", "bc"}, {"ab", "c"}, {"abc"}, {"abc", ""}, {"\x00\x00\x00\x01a"}, {"a\x00"}} {
		k := string(name(parts...))
		if old, ok := seen[k]; ok {
			t.Errorf("%q and %q give the same name", old, parts)
		}
		seen[k] = parts
	}
}
