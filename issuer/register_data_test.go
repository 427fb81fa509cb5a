package issuer

import (
	"bufio"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/internal/store/storetest"
	"github.com/kinpass/kinpass/internal/vc"
)

// dataDay is the reference date of the made records.
var dataDay = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

// madeLines reads a file of made records, or skips where there is none.
func madeLines(t testing.TB, file string) [][]byte {
	t.Helper()
	dir := os.Getenv("KINPASS_DATA")
	if dir == "" {
		dir = filepath.Join("..", "..", "shared", "data")
	}
	f, err := os.Open(filepath.Join(dir, "synthetic", file))
	if err != nil {
		if os.Getenv("KINPASS_REQUIRE_VECTORS") == "1" {
			t.Fatal(err)
		}
		t.Skip("no shared data: set KINPASS_DATA")
	}
	defer f.Close()
	var lines [][]byte
	s := bufio.NewScanner(f)
	s.Buffer(nil, MaxRegistration)
	for s.Scan() {
		lines = append(lines, []byte(s.Text()))
	}
	if err := s.Err(); err != nil {
		t.Fatal(err)
	}
	return lines
}

func madeBirths(t testing.TB) []*vc.Birth {
	t.Helper()
	var births []*vc.Birth
	for i, line := range madeLines(t, "births.jsonl") {
		b, err := CheckBirth(line, dataDay)
		if err != nil {
			t.Fatalf("line %d: %v", i+1, err)
		}
		births = append(births, b)
	}
	return births
}

func TestEveryMadeRecordIsAccepted(t *testing.T) {
	storetest.Volume(t)
	refused := 0
	wards := map[string]*vc.Birth{}
	births := madeLines(t, "births.jsonl")
	for i, line := range births {
		b, err := CheckBirth(line, dataDay)
		if err != nil {
			if refused++; refused < 10 {
				t.Errorf("birth %d: %v %+v", i+1, err, fault.As(err).Fields)
			}
			continue
		}
		wards[b.ChildRef] = b
	}
	guardianships := madeLines(t, "guardianships.jsonl")
	over := map[string]int{}
	for i, line := range guardianships {
		g, err := CheckGuardianship(line, dataDay)
		if err == nil {
			err = CheckWard(g, wards[g.Ward.ChildRef], dataDay)
		}
		if err != nil {
			if refused++; refused < 10 {
				t.Errorf("guardianship %d: %v %+v", i+1, err, fault.As(err).Fields)
			}
			continue
		}
		over[NotIssuable(g, wards[g.Ward.ChildRef], dataDay)]++
	}
	if refused > 0 || len(births) != 2000 || len(guardianships) != 2019 {
		t.Errorf("%d of %d births and %d guardianships refused", refused, len(births), len(guardianships))
	}
	if over[ReasonMandateOver] != 34 || over[ReasonWardOfAge] != 0 || over[""] != 1985 {
		t.Errorf("not issuable: %v, want 34 mandates that are over", over)
	}
}

// The subjects of every profile of every made record have the shape of their
// credential schema.
func TestMadeRecordsGiveValidSubjects(t *testing.T) {
	storetest.Volume(t)
	const holder = "did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK"
	const ref = "AAAAAAAAAAAAAAAAAAAAAA"
	wards := map[string]*vc.Birth{}
	needed := 0
	for i, b := range madeBirths(t) {
		wards[b.ChildRef] = b
		validSubject(t, i, vc.TypeBirth, vc.SchemaBirth, FullBirth(b, ref))
		s, err := BorderBirth(b, ref)
		if errors.Is(err, ErrMRZNeeded) {
			needed++
			continue
		}
		validSubject(t, i, vc.TypeBirth, vc.SchemaBirthBorder, s)
	}
	if needed != 0 {
		t.Errorf("%d births without a border profile; every made name has its machine-readable form", needed)
	}
	unwritten := 0
	for i, line := range madeLines(t, "guardianships.jsonl") {
		g, err := CheckGuardianship(line, dataDay)
		if err != nil {
			t.Fatalf("guardianship %d: %v", i+1, err)
		}
		g = WithParentNames(g, wards[g.Ward.ChildRef])
		validSubject(t, i, vc.TypeGuardianship, vc.SchemaGuardianship, FullGuardianship(g, ref, holder))
		for _, h := range []string{holder, ""} {
			s, err := BorderGuardianship(g, ref, h)
			if errors.Is(err, ErrMRZNeeded) {
				unwritten++
				continue
			}
			if len(s.Guardian.Names) == 0 {
				t.Errorf("guardianship %d: the border profile names no guardian", i+1)
			}
			validSubject(t, i, vc.TypeGuardianship, vc.SchemaGuardBorder, s)
		}
		if g.Guardian.HolderKey == "" {
			t.Fatalf("guardianship %d lost its holder key", i+1)
		}
	}
	// Eight parents are written in a script without a table, and nowhere else.
	if unwritten != 16 {
		t.Errorf("%d border and paper guardianships without a name that can be written, want 16", unwritten)
	}
}

// validSubject puts a subject into a credential as the issuer does and
// validates the whole.
func validSubject(t *testing.T, line int, typ, schema string, subject any) {
	t.Helper()
	body, err := json.Marshal(subject)
	if err != nil {
		t.Fatal(err)
	}
	c, err := json.Marshal(vc.Credential{
		Context: []string{vc.ContextV2, vc.ContextKinpass}, ID: "urn:uuid:0e8b5a4e-4d63-4b25-9c1f-0a6d8a3f2b11",
		Type: []string{vc.TypeCredential, typ}, Issuer: "did:web:registry.npl.example",
		ValidFrom: dataDay, ValidTo: dataDay.AddDate(0, 6, 0), Subject: body,
		Status: []vc.StatusEntry{
			{Type: "BitstringStatusListEntry", Purpose: vc.PurposeRevocation, Index: "94567", List: "https://registry.npl.example/status/revocation/3"},
			{Type: "BitstringStatusListEntry", Purpose: vc.PurposeSuspension, Index: "94567", List: "https://registry.npl.example/status/suspension/3"},
		},
		Schema: &vc.Schema{ID: schema, Type: "JsonSchema"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := vc.ValidateSchema(schema, c); err != nil {
		t.Fatalf("line %d, %s: %v\n%s", line+1, strings.TrimPrefix(schema, vc.SchemaBase), err, body)
	}
}

// Of the made births, none repeats another: siblings, twins and triplets must
// all pass. What one of them would be held by is found when it is registered
// again, as another child.
func TestMadeBirthsAreNotHeldForOneAnother(t *testing.T) {
	births := madeBirths(t)
	byKey := map[string][]int{}
	held := 0
	for i, b := range births {
		var candidates []*vc.Birth
		seen := map[int]bool{}
		for _, k := range BirthDupKeys(b).All() {
			for _, j := range byKey[k] {
				if !seen[j] {
					seen[j] = true
					candidates = append(candidates, births[j])
				}
			}
			byKey[k] = append(byKey[k], i)
		}
		if rule, of := FindDuplicate(b, candidates); rule != "" {
			held++
			if rule != DuplicateChildFather && rule != DuplicateChild && rule != DuplicateNumber {
				x, _ := json.Marshal(candidates[of])
				y, _ := json.Marshal(b)
				t.Logf("%s:\n%s\n%s", rule, x, y)
			}
		}
	}
	t.Logf("%d of %d births held", held, len(births))
	if held != 0 {
		t.Errorf("%d made births are held", held)
	}
}

func BenchmarkCheckBirth(b *testing.B) {
	lines := madeLines(b, "births.jsonl")[:200]
	i := 0
	for b.Loop() {
		if _, err := CheckBirth(lines[i%len(lines)], dataDay); err != nil {
			b.Fatal(err)
		}
		i++
	}
}
