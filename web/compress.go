package web

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/base64"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
)

// Only what is worth it is compressed: below this a packet is a packet.
const worthwhile = 1 << 10

// file is a static file. What it is compressed to is made when it is first asked
// for.
type file struct {
	body        []byte
	contentType string
	etag        string
	packed      func() []byte // nil: it does not get smaller
}

func newFile(name string, body []byte) file {
	sum := sha256.Sum256(body)
	f := file{body: body, contentType: contentType(name), etag: `"` + base64.RawURLEncoding.EncodeToString(sum[:16]) + `"`}
	kind, _, _ := strings.Cut(f.contentType, ";")
	switch kind {
	case "text/javascript", "text/css", "image/svg+xml", "application/wasm", "application/json", "application/manifest+json", "text/plain":
		if len(body) >= worthwhile {
			f.packed = sync.OnceValue(func() []byte { return pack(body, gzip.BestCompression) })
		}
	}
	return f
}

// serve answers with the file, or with its name alone to who has it.
func (f file) serve(w http.ResponseWriter, r *http.Request) error {
	h := w.Header()
	h.Set("Content-Type", f.contentType)
	h.Set("ETag", f.etag)
	body := f.body
	if f.packed != nil {
		h.Add("Vary", "Accept-Encoding")
		if takesGzip(r) {
			body = f.packed()
			h.Set("Content-Encoding", "gzip")
			// Another form of the same thing, for caches that compare bytes.
			h.Set("ETag", "W/"+f.etag)
		}
	}
	for known := range strings.SplitSeq(r.Header.Get("If-None-Match"), ",") {
		if strings.TrimPrefix(strings.TrimSpace(known), "W/") == f.etag {
			h.Del("Content-Encoding")
			w.WriteHeader(http.StatusNotModified)
			return nil
		}
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	_, err := w.Write(body)
	return err
}

// takesGzip reports whether a client takes gzip (RFC 9110, section 12.5.3).
func takesGzip(r *http.Request) bool {
	for _, line := range r.Header.Values("Accept-Encoding") {
		for part := range strings.SplitSeq(line, ",") {
			coding, weight, _ := strings.Cut(strings.TrimSpace(part), ";")
			if strings.TrimSpace(coding) != "gzip" {
				continue
			}
			q, ok := strings.CutPrefix(strings.TrimSpace(weight), "q=")
			v, err := strconv.ParseFloat(q, 64)
			return !ok || err == nil && v > 0
		}
	}
	return false
}

func pack(body []byte, level int) []byte {
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, level)
	if err != nil {
		panic(err) // the levels are ours
	}
	z.Write(body) // to memory: never fails
	z.Close()
	return b.Bytes()
}

// packers compress pages, which are made for each request.
var packers = sync.Pool{New: func() any {
	z, err := gzip.NewWriterLevel(io.Discard, 4)
	if err != nil {
		panic(err) // the level is ours
	}
	return z
}}

// send answers with a page. A page that is compressed tells by its length how
// much of what a visitor sent is like what the page holds; therefore its form
// token is another one each time (account.Pages).
func send(w http.ResponseWriter, r *http.Request, status int, body []byte) error {
	h := w.Header()
	h.Add("Vary", "Accept-Encoding")
	if len(body) >= worthwhile && takesGzip(r) {
		var b bytes.Buffer
		z := packers.Get().(*gzip.Writer)
		z.Reset(&b)
		z.Write(body) // to memory: never fails
		z.Close()
		packers.Put(z)
		body = b.Bytes()
		h.Set("Content-Encoding", "gzip")
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, err := w.Write(body)
	return err
}
