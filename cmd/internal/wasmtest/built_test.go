package wasmtest

import (
	"bytes"
	"compress/gzip"
	"flag"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// update writes the check instead of comparing it: make wasm.
var update = flag.Bool("update", false, "write the check that is committed anew")

const (
	static = "../../../web/border/static/"
	budget = 3_000_000 // bytes that a device fetches for the check
)

// build makes the check from the source. It is the same bytes wherever it is
// built with one version of Go.
func build(t *testing.T) []byte {
	t.Helper()
	out := filepath.Join(t.TempDir(), "check.wasm")
	c := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w -buildid=", "-o", out, "./web/border/wasm")
	c.Dir = "../../.."
	c.Env = append(os.Environ(), "GOOS=js", "GOARCH=wasm", "CGO_ENABLED=0", "GOFLAGS=", "GOEXPERIMENT=", "GOWASM=", "GOWORK=off", "GOFIPS140=off")
	if said, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	return read(t, out)
}

func read(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// glue is what Go has between its WebAssembly and a browser.
func glue(t *testing.T) []byte {
	t.Helper()
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	return read(t, filepath.Join(strings.TrimSpace(string(root)), "lib", "wasm", "wasm_exec.js"))
}

// TestBuilt: the check that is committed is that of the source, and small enough
// for a telephone.
func TestBuilt(t *testing.T) {
	made := build(t)
	if *update {
		var packed bytes.Buffer
		w, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
		if err == nil {
			_, err = w.Write(made)
		}
		if err == nil {
			err = w.Close()
		}
		if err == nil {
			err = os.WriteFile(static+"check.wasm.gz", packed.Bytes(), 0o644)
		}
		if err == nil {
			err = os.WriteFile(static+"wasm_exec.js", glue(t), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	packed := read(t, static+"check.wasm.gz")
	if len(packed) > budget {
		t.Errorf("check.wasm.gz has %d bytes, more than %d", len(packed), budget)
	}
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	have, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("the check: %d bytes, %d packed", len(have), len(packed))
	if !bytes.Contains(have, []byte(runtime.Version())) {
		t.Skipf("the check was built with another version of Go than %s: it cannot be compared", runtime.Version())
	}
	if !bytes.Equal(have, made) {
		t.Error("check.wasm.gz is not what the source gives. Type: make wasm")
	}
	if !bytes.Equal(read(t, static+"wasm_exec.js"), glue(t)) {
		t.Error("wasm_exec.js is not that of this version of Go. Type: make wasm")
	}
}
