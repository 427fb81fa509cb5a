//go:build js && wasm

// Command wasm is the border check as a browser runs it, in a worker of its own:
// verifier/post between JavaScript and Go, and nothing else. It asks for nothing
// and keeps nothing; static/worker.js does that for it.
package main

import (
	"encoding/json"
	"runtime"
	"syscall/js"
	"time"

	"github.com/kinpass/kinpass/verifier/check"
	"github.com/kinpass/kinpass/verifier/post"
)

// main puts the object kinpassCheck where the worker finds it. What its
// functions give is {value, …}, or {fault} with a fault's members as JSON.
func main() {
	var p, made *post.Post
	js.Global().Set("kinpassCheck", js.ValueOf(map[string]any{
		"go": runtime.Version(),

		// anchor(file): whom to believe. Gives the fingerprints as JSON.
		"anchor": function(func(args []js.Value) (map[string]any, error) {
			file := data(args[0])
			prints, err := post.Fingerprints(file)
			if err != nil {
				return nil, err
			}
			if p, err = post.New(file); err != nil {
				return nil, err
			}
			return value(prints)
		}),

		// fingerprints(file): those of an anchor that is not believed yet.
		"fingerprints": function(func(args []js.Value) (map[string]any, error) {
			prints, err := post.Fingerprints(data(args[0]))
			if err != nil {
				return nil, err
			}
			return value(prints)
		}),

		// take(bundle, now): gives the bundle's info as JSON, and known to keep.
		"take": function(func(args []js.Value) (map[string]any, error) {
			i, known, err := p.Take(data(args[0]), time.UnixMilli(int64(args[1].Float())))
			if err != nil {
				return nil, err
			}
			out, err := value(i)
			if known != nil {
				out["known"] = string(known)
			}
			return out, err
		}),

		// patch(delta, now): take, of what changed since the bundle in force; data is
		// the new bundle, a Uint8Array.
		"patch": function(func(args []js.Value) (map[string]any, error) {
			file, i, known, err := p.Patch(data(args[0]), time.UnixMilli(int64(args[1].Float())))
			if err != nil {
				return nil, err
			}
			out, err := value(i)
			if known != nil {
				out["known"] = string(known)
			}
			bytes := js.Global().Get("Uint8Array").New(len(file))
			js.CopyBytesToJS(bytes, file)
			out["data"] = bytes
			return out, err
		}),

		// restore(bundle, known): what was kept.
		"restore": function(func(args []js.Value) (map[string]any, error) {
			i, err := p.Restore(data(args[0]), []byte(args[1].String()))
			if err != nil {
				return nil, err
			}
			return value(i)
		}),

		// check(request): gives the answer as JSON, and history to keep.
		"check": function(func(args []js.Value) (map[string]any, error) {
			answer, history := p.Check([]byte(args[0].String()))
			out := map[string]any{"value": string(answer)}
			if history != nil {
				out["history"] = string(history)
			}
			return out, nil
		}),

		// keep(): what check gave was kept.
		"keep": function(func([]js.Value) (map[string]any, error) { p.Keep(); return nil, nil }),

		// remember(history): what was kept, "" for nothing.
		"remember": function(func(args []js.Value) (map[string]any, error) {
			return nil, p.Remember([]byte(args[0].String()))
		}),

		// rehearse(anchor, bundle, now, request): decides in a made-up world, a post of
		// its own, so that nothing is cold when the first travellers come. What p
		// believes and remembers is not touched. Gives the answer as JSON.
		"rehearse": function(func(args []js.Value) (map[string]any, error) {
			if made == nil {
				q, err := post.New(data(args[0]))
				if err != nil {
					return nil, err
				}
				if _, _, err = q.Take(data(args[1]), time.UnixMilli(int64(args[2].Float()))); err != nil {
					return nil, err
				}
				made = q
			}
			answer, _ := made.Check([]byte(args[3].String()))
			return map[string]any{"value": string(answer)}, nil
		}),

		// texts(): the words of every code in English, as JSON.
		"texts": function(func([]js.Value) (map[string]any, error) { return value(check.Texts()) }),
	}))
	js.Global().Call("kinpassReady")
	select {}
}

// function makes a function of JavaScript. What goes wrong in it, even a
// mistake of ours, is a fault to the caller and does not end the check.
func function(f func(args []js.Value) (map[string]any, error)) js.Func {
	return js.FuncOf(func(_ js.Value, args []js.Value) (out any) {
		defer func() {
			if recover() != nil {
				out = map[string]any{"fault": `{"code":"internal","detail":"the check broke off"}`}
			}
		}()
		v, err := f(args)
		if err != nil {
			told, _ := json.Marshal(post.FaultOf(err))
			return map[string]any{"fault": string(told)}
		}
		return v
	})
}

func value(v any) (map[string]any, error) {
	b, err := json.Marshal(v)
	return map[string]any{"value": string(b)}, err
}

// data copies the bytes of a Uint8Array.
func data(v js.Value) []byte {
	b := make([]byte, v.Length())
	js.CopyBytesToGo(b, v)
	return b
}
