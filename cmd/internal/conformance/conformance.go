// Package conformance is the server that independent W3C test suites are run
// against: VC API issuers and verifiers, one for each cryptosuite, a DID
// resolver and a status list.
//
// It signs whatever is well formed for whoever asks, with keys that last as
// long as the process, and it checks proofs without asking who the signer is.
// Nothing of it is part of a production server: those verify only what the
// trust list allows.
package conformance

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/kinpass/kinpass/internal/did"
	"github.com/kinpass/kinpass/internal/keys"
)

// Limits of a request.
const (
	maxBody     = 1 << 20 // bytes
	readTimeout = 10 * time.Second
)

// Server holds the keys and the status list of one run.
type Server struct {
	IDs IDs

	now     func() time.Time
	log     *slog.Logger
	signers map[string]keys.Signer // by key name
	list    *list
	mux     *http.ServeMux
}

// IDs says under which DIDs the instances issue.
type IDs struct {
	Ed25519 string            `json:"ed25519"`
	P256    string            `json:"p256"`
	P384    string            `json:"p384"`
	Issuers map[string]string `json:"issuers"`
}

// Key names.
const (
	keyEd25519 = "ed25519"
	keyP256    = "p256"
	keyP384    = "p384"
)

// New makes a server with fresh keys. statusBase is the address, without a
// path, at which the status list can be read.
func New(statusBase string, now func() time.Time, log *slog.Logger) (*Server, error) {
	s := &Server{now: now, log: log, signers: map[string]keys.Signer{}}
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	p256, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		return nil, err
	}
	for _, k := range []struct {
		name, alg string
		key       crypto.Signer
		id        *string
	}{
		{keyEd25519, keys.EdDSA, ed, &s.IDs.Ed25519},
		{keyP256, keys.ES256, p256, &s.IDs.P256},
		{keyP384, "ES384", p384, &s.IDs.P384},
	} {
		multikey, err := did.EncodeMultikey(k.key.Public())
		if err != nil {
			return nil, err
		}
		*k.id = "did:key:" + multikey
		s.signers[k.name] = keys.Signer{KID: did.KeyID(*k.id), Alg: k.alg, Signer: k.key}
	}
	s.IDs.Issuers = map[string]string{}
	for name, i := range issuers {
		s.IDs.Issuers[name] = did.Base(s.signers[i.key].KID)
	}
	if s.list, err = newList(statusBase + statusPath); err != nil {
		return nil, err
	}
	s.routes()
	return s, nil
}

func (s *Server) routes() {
	s.mux = http.NewServeMux()
	for name, i := range issuers {
		s.mux.HandleFunc("POST /issuers/"+name+"/credentials/issue", s.issue(i))
	}
	s.mux.HandleFunc("POST /issuers/bsl/credentials/status", s.setStatus)
	for name, v := range verifiers {
		s.mux.HandleFunc("POST /verifiers/"+name+"/credentials/verify", s.verifyCredential(v))
		if v.presentations {
			s.mux.HandleFunc("POST /verifiers/"+name+"/presentations/verify", s.verifyPresentation(v))
		}
	}
	s.mux.HandleFunc("POST /holders/ecdsa-sd-2023/credentials/derive", s.derive)
	s.mux.HandleFunc("GET "+statusPath, s.statusList)
}

const identifiers = "/identifiers/"

// ServeHTTP answers one request. The path of an identifier is taken as it was
// sent: a mux would tidy up the slashes in a DID URL.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Content-Type-Options", "nosniff")
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	if strings.HasPrefix(r.URL.Path, identifiers) && (r.Method == http.MethodGet || r.Method == http.MethodHead) {
		s.resolve(w, r)
		return
	}
	s.mux.ServeHTTP(w, r)
}

func (s *Server) resolve(w http.ResponseWriter, r *http.Request) {
	input := strings.TrimPrefix(r.URL.EscapedPath(), identifiers)
	if r.URL.RawQuery != "" {
		input += "?" + r.URL.RawQuery
	}
	a := did.Resolve(input, r.Header.Get("Accept"))
	w.Header().Set("Content-Type", a.ContentType)
	w.Header().Set("Vary", "Accept")
	w.WriteHeader(a.Status)
	_, _ = w.Write(a.Body)
}

// HTTPServer gives the server that answers on one listener.
func (s *Server) HTTPServer() *http.Server {
	return &http.Server{Handler: s, ReadTimeout: readTimeout, WriteTimeout: 2 * readTimeout, IdleTimeout: time.Minute, MaxHeaderBytes: 64 << 10,
		ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelDebug)}
}

// SelfSigned makes a certificate for localhost and 127.0.0.1, good for a day.
func SelfSigned(now time.Time) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return tls.Certificate{}, err
	}
	template := x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: "localhost"},
		NotBefore:    now.Add(-time.Hour), NotAfter: now.Add(24 * time.Hour),
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
		DNSNames:              []string{"localhost"},
		IPAddresses:           []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
	}
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, key.Public(), key)
	if err != nil {
		return tls.Certificate{}, err
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, nil
}
