package rdf

import (
	"bytes"
	"errors"
	"strconv"

	"github.com/piprate/json-gold/ld"
)

type loader struct{}

func (loader) LoadDocument(url string) (*ld.RemoteDocument, error) {
	body, ok := ContextFile(url)
	if !ok {
		return nil, ErrContext
	}
	doc, err := ld.DocumentFromReader(bytes.NewReader(body))
	return &ld.RemoteDocument{DocumentURL: url, Document: doc}, err
}

func goldExpand(v any) (nodes []any, err error) {
	defer func() {
		if recover() != nil {
			nodes, err = nil, ErrJSONLD
		}
	}()
	options := ld.NewJsonLdOptions("")
	options.SafeMode = true
	options.DocumentLoader = loader{}
	nodes, err = ld.NewJsonLdProcessor().Expand(convert(v), options)
	var e *ld.JsonLdError
	switch {
	case err == nil:
		return convert(nodes).([]any), nil
	case !errors.As(err, &e):
		return nil, ErrJSONLD.With(err)
	}
	switch e.Code {
	case ld.ProtectedTermRedefinition, ld.InvalidContextNullification:
		return nil, ErrProtected
	case ld.InvalidProperty:
		return nil, ErrUndefined
	case ld.LoadingRemoteContextFailed, ld.InvalidLocalContext, ld.InvalidTermDefinition, ld.InvalidIRIMapping, ld.KeywordRedefinition:
		return nil, ErrContext
	}
	return nil, ErrJSONLD
}

// convert turns numbers into the processor's and back.
func convert(v any) any {
	switch v := v.(type) {
	case number:
		return v.value
	case float64:
		return number{v, strconv.FormatFloat(v, 'f', -1, 64)}
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = convert(v[i])
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for k := range v {
			out[k] = convert(v[k])
		}
		return out
	}
	return v
}
