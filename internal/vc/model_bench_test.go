package vc

import "testing"

// The data model of our own credentials, with and without JSON-LD, beside the
// scan that every reader of JSON makes.
func BenchmarkCheckModel(b *testing.B) {
	doc := []byte(credential(TypeBirth, SchemaBirth, goodBirth))
	run := func(name string, f func() error) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(doc)))
			for b.Loop() {
				if err := f(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	run("json", func() error { return CheckJSON(doc, MaxDepth) })
	run("model", func() error { return CheckModel(doc, ModelCheck{linked: true}) })
	run("all", func() error { return CheckModel(doc, ModelCheck{}) })
}
