package verifier

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/internal/policy"
)

// ErrPolicies: the directory of policies cannot be read or holds none. What is
// wrong with a policy is policy.ErrPolicy, whose fields begin with the name of
// its file.
var ErrPolicies = fault.New(fault.Unavailable, "policies-missing", "there is no directory with policies at that place").
	WithHint("name a directory with a .json file for each policy, or none for those that come with Kinpass")

// maxPolicyFile bounds the file of one policy, in bytes: beyond it none is read.
const maxPolicyFile = 1 << 20

// readPolicies reads the policies of a directory, one in each .json file, or
// those that come with Kinpass where dir is "". All are refused if one cannot be
// used or two contradict each other: a post must not meet the rest without it.
// A set without a policy for every country gets the one that comes with
// Kinpass, so that the bundle and not a post's program says what holds.
func readPolicies(dir string) (*policy.Set, error) {
	files := policy.ShippedFiles()
	if dir != "" {
		var err error
		if files, err = policyFiles(dir); err != nil {
			return nil, err
		}
	}
	var names []string
	for name := range files {
		names = append(names, name)
	}
	slices.Sort(names)
	var all []*policy.Policy
	var fields []fault.Field
	generic := false
	for _, name := range names {
		p, err := policy.Parse(files[name])
		if err != nil {
			fields = append(fields, inFile(name, err)...)
			continue
		}
		if i := slices.IndexFunc(all, func(o *policy.Policy) bool { return o.ID == p.ID }); i >= 0 {
			fields = append(fields, fault.Field{Path: name + "/policyId", Rule: "is that of another file, too"})
		}
		generic = generic || len(p.Countries) == 0
		all = append(all, p)
		if _, err := policy.SetOf(all); err != nil && len(fields) == 0 {
			for _, x := range fault.As(err).Fields {
				fields = append(fields, fault.Field{Path: name, Rule: x.Rule})
			}
		}
	}
	if len(fields) > 0 {
		return nil, policy.ErrPolicy.WithFields(fields...)
	}
	if !generic {
		all = append(all, policy.Generic())
	}
	return policy.SetOf(all)
}

// inFile says of each field in which file it is.
func inFile(name string, err error) []fault.Field {
	f := fault.As(err)
	if len(f.Fields) == 0 {
		return []fault.Field{{Path: name, Rule: f.Detail}}
	}
	var out []fault.Field
	for _, x := range f.Fields {
		out = append(out, fault.Field{Path: name + x.Path, Rule: x.Rule})
	}
	return out
}

// policyFiles reads the .json files of a directory that are not hidden.
func policyFiles(dir string) (map[string][]byte, error) {
	names, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil {
		return nil, ErrPolicies.With(err)
	}
	out := map[string][]byte{}
	for _, path := range names {
		name := filepath.Base(path)
		if strings.HasPrefix(name, ".") {
			continue
		}
		data, err := policyFile(path)
		if err != nil {
			return nil, ErrPolicies.WithDetail("the file of a policy cannot be read").With(err).WithFields(fault.Field{Path: name, Rule: "cannot be read"})
		}
		out[name] = data
	}
	if len(out) == 0 {
		return nil, ErrPolicies
	}
	return out, nil
}

func policyFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, errors.Join(err, os.ErrInvalid)
	}
	return io.ReadAll(io.LimitReader(f, maxPolicyFile+1))
}
