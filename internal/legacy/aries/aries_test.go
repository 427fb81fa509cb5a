package aries

import (
	"errors"
	"testing"

	"github.com/kinpass/kinpass/internal/rdf"
)

// TestLoader: what is built in loads, and nothing else.
func TestLoader(t *testing.T) {
	for _, url := range append(rdf.ContextURLs(), contextJWS) {
		if d, err := (builtin{}).LoadDocument(url); err != nil || d.Document == nil {
			t.Errorf("%s: %v", url, err)
		}
	}
	for _, url := range []string{"https://example.org/v1", "", "file:///etc/passwd", "http://www.w3.org/2018/credentials/v1"} {
		if _, err := (builtin{}).LoadDocument(url); !errors.Is(err, ErrContext) {
			t.Errorf("%s: %v", url, err)
		}
	}
}
