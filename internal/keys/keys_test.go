package keys

import (
	"bytes"
	"crypto"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"
)

var (
	t0    = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	long  = []byte("a-generated-passphrase-of-more-than-40-characters\n")
	short = []byte("correct horse")
)

func ring(t testing.TB) *Ring {
	t.Helper()
	r := &Ring{}
	for i, alg := range []string{EdDSA, ES256} {
		k, err := New(fmt.Sprintf("key-%d", i+1), UseCredentials, alg, t0.AddDate(0, i, 0), t0.AddDate(1, i, 0))
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Add(k); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := r.EnsureSecret("index"); err != nil {
		t.Fatal(err)
	}
	return r
}

func TestSealAndOpen(t *testing.T) {
	r := ring(t)
	for _, pass := range [][]byte{long, short} {
		sealed, err := r.Seal(pass)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(sealed, r.Secret("index")) {
			t.Fatal("the secret stands in the file")
		}
		back, err := Open(sealed, bytes.TrimSpace(pass))
		if err != nil {
			t.Fatal(err)
		}
		if len(back.Keys) != 2 || !bytes.Equal(back.Secret("index"), r.Secret("index")) {
			t.Fatalf("%d keys came back", len(back.Keys))
		}
		for i, k := range back.Keys {
			if k.Name != r.Keys[i].Name || k.Alg != r.Keys[i].Alg || !k.NotBefore.Equal(r.Keys[i].NotBefore) ||
				!k.Public().(interface{ Equal(crypto.PublicKey) bool }).Equal(r.Keys[i].Public()) {
				t.Errorf("key %d changed", i)
			}
		}
		if _, err := Open(sealed, []byte("another passphrase")); !errors.Is(err, ErrPassphrase) {
			t.Errorf("a wrong passphrase: %v", err)
		}
		if len(pass) < longPassphrase {
			continue // stretched: each try costs half a second
		}
		for i := 0; i < len(sealed); i += 37 {
			bad := bytes.Clone(sealed)
			bad[i] ^= 1
			if got, err := Open(bad, pass); err == nil || got != nil {
				t.Errorf("a changed byte %d was not seen", i)
			}
		}
	}
	for name, bad := range map[string][]byte{"empty": nil, "junk": []byte("junk"), "header only": []byte("age-encryption.org/v1\n")} {
		if got, err := Open(bad, long); err == nil || got != nil {
			t.Errorf("%s was opened", name)
		}
	}
	if _, err := r.Seal([]byte("1234567\n")); err == nil || !strings.Contains(err.Error(), "8 characters") {
		t.Errorf("a short passphrase: %v", err)
	}
}

func TestCurrentKeyRotatesByItself(t *testing.T) {
	r := ring(t)
	for at, want := range map[time.Time]string{
		t0: "key-1", t0.AddDate(0, 0, 30): "key-1", t0.AddDate(0, 1, 0): "key-2", t0.AddDate(1, 0, 1): "key-2",
	} {
		k, err := r.Current(UseCredentials, at)
		if err != nil || k.Name != want {
			t.Errorf("at %s: %v, %v", at, k, err)
		}
	}
	for name, at := range map[string]time.Time{"before": t0.Add(-time.Second), "after": t0.AddDate(1, 1, 0)} {
		if k, err := r.Current(UseCredentials, at); !errors.Is(err, ErrNoKey) || k != nil {
			t.Errorf("%s: %v, %v", name, k, err)
		}
	}
	if k, err := r.Current(UseAnchor, t0); !errors.Is(err, ErrNoKey) || k != nil {
		t.Errorf("another use: %v, %v", k, err)
	}
	if err := r.Add(r.Keys[0]); err == nil {
		t.Error("a name was used twice")
	}
	if _, err := New("x", UseHub, "RS256", t0, t0); !errors.Is(err, ErrAlgorithm) {
		t.Errorf("RS256: %v", err)
	}
}

func TestSecretsAreMadeOnce(t *testing.T) {
	r := &Ring{}
	made, err := r.EnsureSecret("a")
	first := bytes.Clone(r.Secret("a"))
	if err != nil || !made || len(first) != 32 {
		t.Fatalf("%v %v %d", made, err, len(first))
	}
	if made, err := r.EnsureSecret("a"); made || err != nil || !bytes.Equal(first, r.Secret("a")) {
		t.Fatal("a second call changed the secret")
	}
	if r.Secret("b") != nil {
		t.Fatal("a secret out of nothing")
	}
}

func TestPrivateForHolders(t *testing.T) {
	for _, k := range ring(t).Keys {
		der, err := k.Private()
		if err != nil {
			t.Fatal(err)
		}
		s, err := FromPrivate(der, "kid")
		if err != nil || s.KID != "kid" || s.Alg != k.Alg || !s.Public().(interface{ Equal(crypto.PublicKey) bool }).Equal(k.Public()) {
			t.Fatalf("%v", err)
		}
	}
	if _, err := FromPrivate([]byte("junk"), ""); err == nil {
		t.Error("junk is a key")
	}
}

func TestNothingPrivateIsLogged(t *testing.T) {
	r := ring(t)
	var b bytes.Buffer
	log := slog.New(slog.NewJSONHandler(&b, nil))
	log.Info("x", "ring", r, "key", r.Keys[0], "signer", r.Keys[0].Signer("did:x#1"))
	der, _ := r.Keys[0].Private()
	for _, secret := range []string{string(r.Secret("index")), fmt.Sprint(r.Secret("index")), string(der), fmt.Sprint(der)} {
		if strings.Contains(b.String(), secret) {
			t.Fatalf("a secret is in the log: %s", b.String())
		}
	}
	if !strings.Contains(b.String(), "key-1") {
		t.Error("the name is not in the log")
	}
}

func FuzzOpen(f *testing.F) {
	sealed, err := ring(f).Seal(long)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(sealed)
	f.Add([]byte("age-encryption.org/v1\n-> scrypt AAAA 40\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if r, err := Open(data, long); err != nil && r != nil {
			t.Fatal("a failed open gave a ring")
		}
	})
}
