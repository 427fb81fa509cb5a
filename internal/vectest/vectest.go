// Package vectest finds published test vectors, which lie beside the project
// and are never part of it. Only tests import it.
package vectest

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// Dir gives the folder sub of the vectors: below $KINPASS_VECTORS, or below
// ../shared/vectors seen from the project's root. Where it is absent the test
// is skipped, or fails if KINPASS_REQUIRE_VECTORS=1.
func Dir(t testing.TB, sub string) string {
	t.Helper()
	root := os.Getenv("KINPASS_VECTORS")
	if root == "" {
		root = beside(t)
	}
	dir := filepath.Join(root, filepath.FromSlash(sub))
	if info, err := os.Stat(dir); err == nil && info.IsDir() {
		return dir
	}
	if os.Getenv("KINPASS_REQUIRE_VECTORS") == "1" {
		t.Fatalf("the vectors %s are required and not there", sub)
	}
	t.Skipf("the vectors %s are not there (set KINPASS_VECTORS)", sub)
	return ""
}

// Read gives the content of one vector file.
func Read(t testing.TB, dir string, name ...string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(append([]string{dir}, name...)...))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// Seeds gives the content of every file below sub whose name ends in suffix, up
// to max of them, for fuzz targets: none where the vectors are absent.
func Seeds(sub, suffix string, max int) [][]byte {
	root := os.Getenv("KINPASS_VECTORS")
	if root == "" {
		dir, err := os.Getwd()
		if err != nil {
			return nil
		}
		root = search(dir)
	}
	var out [][]byte
	_ = filepath.WalkDir(filepath.Join(root, filepath.FromSlash(sub)), func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || len(out) >= max || len(path) < len(suffix) || path[len(path)-len(suffix):] != suffix {
			return nil
		}
		if data, err := os.ReadFile(path); err == nil {
			out = append(out, data)
		}
		return nil
	})
	return out
}

// SeedTexts gives every text of a member called name, at any depth, in the JSON
// files that Seeds gives, in the order of their places and without repetition.
func SeedTexts(sub, suffix, name string) []string {
	var out []string
	var walk func(v any)
	walk = func(v any) {
		switch x := v.(type) {
		case []any:
			for _, e := range x {
				walk(e)
			}
		case map[string]any:
			for _, key := range slices.Sorted(maps.Keys(x)) {
				if s, ok := x[key].(string); ok && key == name && !slices.Contains(out, s) {
					out = append(out, s)
				}
				walk(x[key])
			}
		}
	}
	for _, data := range Seeds(sub, suffix, 1000) {
		var v any
		if json.Unmarshal(data, &v) == nil {
			walk(v)
		}
	}
	return out
}

func beside(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	return search(dir)
}

// search walks up to the folder of go.mod.
func search(dir string) string {
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return filepath.Join(filepath.Dir(dir), "shared", "vectors")
		}
		up := filepath.Dir(dir)
		if up == dir {
			return "shared"
		}
		dir = up
	}
}
