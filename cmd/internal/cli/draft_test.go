package cli

import (
	"encoding/base64"
	"encoding/json"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// draftText is a draft as a forger takes it apart.
type draftText struct {
	Payload    string            `json:"payload"`
	Signatures []json.RawMessage `json:"signatures"`
}

func readDraft(ts *testscript.TestScript, file string) draftText {
	var d draftText
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(file)), &d))
	return d
}

func writeDraft(ts *testscript.TestScript, file string, d draftText) {
	b, err := json.Marshal(d)
	ts.Check(err)
	ts.Check(writeFile(ts.MkAbs(file), b, 0o600))
}

// againCmd puts the signatures under a draft a second time: "again FROM TO".
func againCmd(ts *testscript.TestScript, neg bool, args []string) {
	d := readDraft(ts, args[0])
	d.Signatures = append(d.Signatures, d.Signatures...)
	writeDraft(ts, args[1], d)
}

// twistCmd changes a word in what was signed: "twist FROM TO OLD NEW".
func twistCmd(ts *testscript.TestScript, neg bool, args []string) {
	d := readDraft(ts, args[0])
	b, err := base64.RawURLEncoding.DecodeString(d.Payload)
	ts.Check(err)
	if !strings.Contains(string(b), args[2]) {
		ts.Fatalf("%s is not in the draft", args[2])
	}
	d.Payload = base64.RawURLEncoding.EncodeToString([]byte(strings.Replace(string(b), args[2], args[3], 1)))
	writeDraft(ts, args[1], d)
}

// stealCmd puts the signatures of one draft under another: "steal TO-BE-SIGNED
// SIGNED OUT".
func stealCmd(ts *testscript.TestScript, neg bool, args []string) {
	d := readDraft(ts, args[0])
	d.Signatures = append(d.Signatures, readDraft(ts, args[1]).Signatures...)
	writeDraft(ts, args[2], d)
}
