package web

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http/httptest"
	"strconv"
	"testing"
)

func unpack(t *testing.T, b []byte) []byte {
	t.Helper()
	z, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	out, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestStaticFilesAreCompressed: who takes gzip gets less, the same when it is
// unpacked, and who has it already gets nothing.
func TestStaticFilesAreCompressed(t *testing.T) {
	s := withParts(t, "http://localhost:8080")
	for name, f := range s.files {
		address, err := s.Asset(name)
		if err != nil {
			t.Fatal(err)
		}
		r := httptest.NewRequest("GET", address, nil)
		r.Header.Set("Accept-Encoding", "br, gzip;q=0.8")
		w := httptest.NewRecorder()
		if !s.Static(w, r) {
			t.Fatalf("%s is not there", name)
		}
		h, body := w.Header(), w.Body.Bytes()
		if h.Get("Content-Encoding") == "gzip" {
			if len(body) >= len(f.body) || h.Get("Vary") != "Accept-Encoding" {
				t.Errorf("%s: %d of %d bytes, %v", name, len(body), len(f.body), h)
			}
			body = unpack(t, body)
		} else if len(f.body) > 4<<10 && name != "mark.svg" {
			t.Errorf("%s of %d bytes is not compressed", name, len(f.body))
		}
		if !bytes.Equal(body, f.body) || h.Get("Content-Length") != strconv.Itoa(w.Body.Len()) {
			t.Errorf("%s is not what it was", name)
		}
		again := httptest.NewRequest("GET", address, nil)
		again.Header.Set("If-None-Match", `"x", `+h.Get("ETag"))
		w = httptest.NewRecorder()
		if s.Static(w, again); w.Code != 304 || w.Body.Len() > 0 || w.Header().Get("ETag") == "" {
			t.Errorf("%s again: %d of %d bytes", name, w.Code, w.Body.Len())
		}
		if other := httptest.NewRequest("GET", address, nil); true {
			other.Header.Set("If-None-Match", `"another"`)
			w = httptest.NewRecorder()
			if s.Static(w, other); w.Code != 200 || w.Body.Len() != len(f.body) {
				t.Errorf("%s for who has another: %d", name, w.Code)
			}
		}
	}
}

func TestPagesAreCompressed(t *testing.T) {
	s := withParts(t, "http://localhost:8080")
	plain := httptest.NewRecorder()
	if err := s.Show(plain, httptest.NewRequest("GET", "/app/test", nil), parts()); err != nil {
		t.Fatal(err)
	}
	for accept, packed := range map[string]bool{"gzip": true, "deflate, gzip, br": true, "gzip;q=0.5": true, "": false, "br": false, "gzip;q=0": false, "gzip;q=x": false, "xgzip": false} {
		r := httptest.NewRequest("GET", "/app/test", nil)
		r.Header.Set("Accept-Encoding", accept)
		w := httptest.NewRecorder()
		if err := s.Show(w, r, parts()); err != nil {
			t.Fatal(err)
		}
		if got := w.Header().Get("Content-Encoding") == "gzip"; got != packed {
			t.Errorf("%q: packed %v", accept, got)
		}
		body := w.Body.Bytes()
		if packed {
			body = unpack(t, body)
		}
		if !bytes.Equal(body, plain.Body.Bytes()) || w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%q: not the same page", accept)
		}
	}
}
