package cli

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/kinpass/kinpass/cmd/internal/conformance"
)

func newConformance() *cobra.Command {
	var listen, ids string
	c := &cobra.Command{
		Use:   "conformance",
		Short: "Serve VC API endpoints for the W3C test suites (never for real credentials)",
		Long: `Serves issuers, verifiers, a holder, a DID resolver and a status list for
independent conformance suites: http on the given port and https with a
self-signed certificate on the next one. Keys are fresh at every start.

It signs for whoever asks, and its verifiers check proofs only, not who may
sign: nothing of it belongs in production. Once it answers it prints one JSON
line with the DIDs of its instances.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return runConformance(c, listen, ids)
		},
	}
	c.Flags().StringVar(&listen, "listen", "127.0.0.1:0", "address for http; https is on the next port")
	c.Flags().StringVar(&ids, "ids", "", "write the DIDs of the instances to this file as well")
	return c
}

func runConformance(c *cobra.Command, listen, ids string) error {
	plain, secure, err := listenPair(listen)
	if err != nil {
		return err
	}
	defer plain.Close()
	defer secure.Close()
	host, _, err := net.SplitHostPort(listen)
	if err != nil || host == "" || net.ParseIP(host) != nil && net.ParseIP(host).IsUnspecified() {
		host = "127.0.0.1"
	}
	base := "https://" + net.JoinHostPort(host, strconv.Itoa(secure.Addr().(*net.TCPAddr).Port))
	s, err := conformance.New(base, now, newLog(c.ErrOrStderr(), slog.LevelInfo))
	if err != nil {
		return err
	}
	cert, err := conformance.SelfSigned(now())
	if err != nil {
		return err
	}
	secure = tls.NewListener(secure, &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12})
	g, ctx := errgroup.WithContext(c.Context())
	for _, l := range []net.Listener{plain, secure} {
		server := s.HTTPServer()
		g.Go(func() error {
			if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
				return err
			}
			return nil
		})
		g.Go(func() error {
			<-ctx.Done()
			stop, cancel := context.WithTimeout(context.Background(), 5*time.Second)
			defer cancel()
			return server.Shutdown(stop)
		})
	}
	line, err := json.Marshal(s.IDs)
	if err != nil {
		return err
	}
	line = append(line, '\n')
	if ids != "" {
		if err := writeWhole(ids, line); err != nil {
			return err
		}
	}
	if _, err := c.OutOrStdout().Write(line); err != nil {
		return err
	}
	return g.Wait()
}

// writeWhole writes a file so that whoever waits for it never sees half of it.
func writeWhole(name string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(name), ".ids-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	if _, err := f.Write(data); err != nil {
		f.Close()
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), name)
}

// listenPair opens the address and the port after it. Port 0 finds two free
// neighbours.
func listenPair(address string) (plain, secure net.Listener, err error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, nil, usage{fmt.Errorf("--listen needs an address such as 127.0.0.1:9000")}
	}
	for range 20 {
		plain, err = net.Listen("tcp", net.JoinHostPort(host, port))
		if err != nil {
			return nil, nil, err
		}
		next := plain.Addr().(*net.TCPAddr).Port + 1
		secure, err = net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(next)))
		if err == nil {
			return plain, secure, nil
		}
		plain.Close()
		if port != "0" {
			return nil, nil, err
		}
	}
	return nil, nil, err
}
