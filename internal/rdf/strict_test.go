package rdf

import (
	"bytes"
	"crypto"
	"errors"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/internal/vectest"
)

// doc makes a credential of contexts and members that follow.
func doc(context, members string) []byte {
	return []byte(`{"@context":["https://www.w3.org/ns/credentials/v2"` + context + `],
		"type":["VerifiableCredential"],"issuer":"did:example:i"` + members + `}`)
}

// vocab makes every word a term.
const vocab = `,{"@vocab":"https://v.example/#"}`

// Whatever JSON-LD or RDF would leave out in silence is refused: here each is
// added to a document that is good without it.
func TestStrictRefuses(t *testing.T) {
	many := strings.Repeat(`{"a":`, maxDepth) + `1` + strings.Repeat(`}`, maxDepth)
	for name, c := range map[string]struct {
		context, members string
		want             error
	}{
		"undefined property":                   {``, `,"nope":"x"`, ErrUndefined},
		"undefined property, empty object":     {``, `,"nope":{}`, ErrUndefined},
		"undefined property, empty array":      {``, `,"nope":[]`, ErrUndefined},
		"undefined property, null":             {``, `,"nope":null`, ErrUndefined},
		"undefined property below":             {``, `,"credentialSubject":{"name":"n","nope":"x"}`, ErrUndefined},
		"undefined property in a list":         {`,{"l":{"@id":"x:l","@container":"@list"}}`, `,"l":[{"nope":"x"}]`, ErrUndefined},
		"undefined property in @list":          {`,{"l":"x:l"}`, `,"l":{"@list":[{"nope":"x"}]}`, ErrUndefined},
		"undefined property in @set":           {`,{"l":"x:l"}`, `,"l":{"@set":[{"nope":"x"}]}`, ErrUndefined},
		"undefined property in @reverse":       {``, `,"@reverse":{"issuer":{"id":"x:y","nope":"x"}}`, ErrUndefined},
		"undefined property in @included":      {``, `,"@included":[{"id":"x:y","nope":"x"}]`, ErrUndefined},
		"undefined reverse property":           {``, `,"@reverse":{"nope":{"id":"x:y"}}`, ErrUndefined},
		"a property without a name":            {vocab, `,"":{"a":"x"}`, ErrUndefined},
		"a property like a keyword":            {vocab, `,"@nope":"x"`, ErrUndefined},
		"a keyword that means nothing here":    {vocab, `,"@vocab":"x:y"`, ErrUndefined},
		"a property of framing":                {vocab, `,"@default":"x"`, ErrUndefined},
		"a property that is a blank node":      {vocab, `,"_:p":"x"`, ErrIRI},
		"a property with a space":              {``, `,"x:a b":"x"`, ErrIRI},
		"a property with two fragments":        {``, `,"x:a#b#c":"x"`, ErrIRI},
		"a property that is not an IRI":        {``, `,"1x:a":"x"`, ErrIRI},
		"undefined type":                       {``, `,"credentialSubject":{"type":"Nope"}`, ErrIRI},
		"undefined type in an array":           {``, `,"credentialSubject":{"type":["x:y","Nope"]}`, ErrIRI},
		"a type relative to @base":             {`,{"@base":"https://b.example/"}`, `,"credentialSubject":{"type":"Nope"}`, ErrContext},
		"@base, unused":                        {`,{"@base":"https://b.example/"}`, ``, ErrContext},
		"@base below":                          {``, `,"credentialSubject":{"@context":{"@base":"x:"},"id":"y"}`, ErrContext},
		"a type that is a blank node":          {``, `,"credentialSubject":{"type":"_:t"}`, ErrIRI},
		"a type like a keyword":                {vocab, `,"credentialSubject":{"type":"@nope"}`, ErrIRI},
		"a type that is a keyword":             {vocab, `,"credentialSubject":{"type":"@id"}`, ErrIRI},
		"an empty type":                        {``, `,"credentialSubject":{"type":""}`, ErrIRI},
		"no types":                             {``, `,"credentialSubject":{"type":[]}`, ErrUndefined},
		"a type that is null":                  {``, `,"credentialSubject":{"type":null}`, ErrJSONLD},
		"a type that is an object":             {``, `,"credentialSubject":{"type":{}}`, ErrJSONLD},
		"a number as a type":                   {``, `,"credentialSubject":{"type":[1]}`, ErrJSONLD},
		"a relative id":                        {``, `,"id":"y"`, ErrIRI},
		"a relative id with a slash":           {``, `,"id":"//b.example/y"`, ErrIRI},
		"an id with a space":                   {``, `,"id":"x:a b"`, ErrIRI},
		"an id with a space and a host":        {``, `,"id":"https://b.example/a b"`, ErrIRI},
		"an id with angle brackets":            {``, `,"id":"https://b.example/<a>"`, ErrIRI},
		"an id with a control":                 {``, `,"id":"x:\u0000"`, ErrIRI},
		"an id with a backslash":               {``, `,"id":"x:\\"`, ErrIRI},
		"an id like a keyword":                 {``, `,"id":"@nope"`, ErrIRI},
		"an id that is a keyword":              {``, `,"id":"@type"`, ErrIRI},
		"an empty id":                          {``, `,"id":""`, ErrIRI},
		"a fragment as id":                     {``, `,"id":"#f"`, ErrIRI},
		"a null id":                            {``, `,"id":null`, ErrJSONLD},
		"an array of ids":                      {``, `,"id":["x:y"]`, ErrJSONLD},
		"a number as id":                       {``, `,"id":1`, ErrJSONLD},
		"an object as id":                      {``, `,"id":{}`, ErrJSONLD},
		"two ids":                              {``, `,"id":"x:y","@id":"x:y"`, ErrJSONLD},
		"a relative IRI as a value":            {``, `,"credentialSubject":"y"`, ErrIRI},
		"a keyword as an IRI":                  {``, `,"credentialSubject":"@nope"`, ErrUndefined},
		"null":                                 {``, `,"name":null`, ErrUndefined},
		"null in an array":                     {``, `,"name":["n",null]`, ErrUndefined},
		"null in a list":                       {`,{"l":{"@id":"x:l","@container":"@list"}}`, `,"l":[1,null]`, ErrUndefined},
		"null in a language map":               {`,{"l":{"@id":"x:l","@container":"@language"}}`, `,"l":{"en":null}`, ErrUndefined},
		"a null value object":                  {``, `,"name":{"@value":null}`, ErrUndefined},
		"a null value object, typed":           {``, `,"name":{"@value":null,"@type":"x:y"}`, ErrUndefined},
		"a language alone":                     {``, `,"name":{"@language":"en"}`, ErrUndefined},
		"an empty array":                       {``, `,"name":[]`, ErrUndefined},
		"an empty set":                         {``, `,"name":{"@set":[]}`, ErrUndefined},
		"an empty language map":                {`,{"l":{"@id":"x:l","@container":"@language"}}`, `,"l":{}`, ErrUndefined},
		"an empty @nest":                       {``, `,"@nest":{}`, ErrUndefined},
		"an empty array of @nest":              {``, `,"@nest":[]`, ErrUndefined},
		"an empty @included":                   {``, `,"@included":[]`, ErrUndefined},
		"an @included that says nothing":       {``, `,"@included":{"id":"x:y"}`, ErrUndefined},
		"an empty @graph":                      {``, `,"@graph":[]`, ErrUndefined},
		"a @graph of what says nothing":        {``, `,"@graph":{"id":"x:y"}`, ErrUndefined},
		"an empty object in @graph":            {``, `,"@graph":[{}]`, ErrUndefined},
		"a scalar in @graph":                   {``, `,"@graph":["x"]`, ErrUndefined},
		"a value object in @graph":             {``, `,"@graph":{"@value":"x"}`, ErrUndefined},
		"a list in @graph":                     {``, `,"@graph":{"@list":["x"]}`, ErrUndefined},
		"an empty @reverse":                    {``, `,"@reverse":{}`, ErrUndefined},
		"an empty reverse property":            {``, `,"@reverse":{"issuer":[]}`, ErrUndefined},
		"an empty reversed term":               {`,{"r":{"@reverse":"x:r"}}`, `,"r":[]`, ErrUndefined},
		"a scalar in @reverse":                 {``, `,"@reverse":{"name":"x"}`, ErrJSONLD},
		"an @index":                            {``, `,"credentialSubject":{"@index":"i","id":"x:y"}`, ErrUndefined},
		"an @index of a value":                 {``, `,"name":{"@value":"n","@index":"i"}`, ErrUndefined},
		"an @index of a list":                  {``, `,"name":{"@list":["n"],"@index":"i"}`, ErrUndefined},
		"an @index of a set":                   {``, `,"name":{"@set":["n"],"@index":"i"}`, ErrUndefined},
		"an index map":                         {`,{"m":{"@id":"x:m","@container":"@index"}}`, `,"m":{"i":"n"}`, ErrUndefined},
		"an id map over an id":                 {`,{"m":{"@id":"x:m","@container":"@id"}}`, `,"m":{"x:i":{"id":"x:j","x:p":1}}`, ErrUndefined},
		"a value object with more":             {``, `,"name":{"@value":"n","x:p":1}`, ErrJSONLD},
		"a value object with an id":            {``, `,"name":{"@value":"n","id":"x:y"}`, ErrJSONLD},
		"a value object of an object":          {``, `,"name":{"@value":{}}`, ErrJSONLD},
		"a value object of an array":           {``, `,"name":{"@value":["n"]}`, ErrJSONLD},
		"a value object, type and language":    {``, `,"name":{"@value":"n","@type":"x:y","@language":"en"}`, ErrJSONLD},
		"a value object, type and direction":   {``, `,"name":{"@value":"n","@type":"x:y","@direction":"ltr"}`, ErrJSONLD},
		"a value object of an undefined type":  {``, `,"name":{"@value":"n","@type":"Nope"}`, ErrJSONLD},
		"a value object of two types":          {``, `,"name":{"@value":"n","@type":["x:y","x:z"]}`, ErrJSONLD},
		"a number in a language":               {``, `,"name":{"@value":1,"@language":"en"}`, ErrJSONLD},
		"a language that is none":              {``, `,"name":{"@value":"n","@language":"e n"}`, ErrIRI},
		"a language that is a number":          {``, `,"name":{"@value":"n","@language":1}`, ErrJSONLD},
		"a direction that is none":             {``, `,"name":{"@value":"n","@direction":"up"}`, ErrJSONLD},
		"a list and a set":                     {``, `,"name":{"@list":["n"],"@set":["n"]}`, ErrJSONLD},
		"a list with more":                     {``, `,"name":{"@list":["n"],"x:p":1}`, ErrJSONLD},
		"a list with a type":                   {``, `,"name":{"@list":["n"],"@type":"x:T"}`, ErrJSONLD},
		"a list with a type and an index":      {``, `,"name":{"@list":["n"],"@type":"x:T","@index":"i"}`, ErrJSONLD},
		"a list with a type and claims":        {``, `,"name":{"@list":["n"],"type":["x:T"],"id":"x:y","x:p":1}`, ErrJSONLD},
		"a list with no types":                 {``, `,"name":{"@list":["n"],"@type":[]}`, ErrUndefined},
		"a list with an id":                    {``, `,"name":{"@list":["n"],"id":"x:y"}`, ErrJSONLD},
		"a list with a language":               {``, `,"name":{"@list":["n"],"@language":"en"}`, ErrJSONLD},
		"a list with claims grouped":           {``, `,"name":{"@list":["n"],"@nest":{"x:p":1}}`, ErrJSONLD},
		"an id beside @included alone":         {``, `,"@included":{"id":"x:y","@included":{"id":"x:z","x:p":1}}`, ErrUndefined},
		"a graph in a graph":                   {``, `,"@graph":{"@graph":{"id":"x:y","x:p":1},"id":"x:g","@included":{"@graph":{"@graph":{"x:p":1}}}}`, ErrUndefined},
		"a set":                                {``, `,"name":{"@set":["n"]}`, ErrUndefined},
		"a label that is used once":            {``, `,"credentialSubject":{"id":"_:a","name":"n"}`, ErrUndefined},
		"no types in a type map":               {`,{"m":{"@id":"x:m","@container":"@type"}}`, `,"m":{"x:T":{"id":"x:i","type":[]}}`, ErrUndefined},
		"a set with a type":                    {``, `,"name":{"@set":["n"],"@type":"x:T"}`, ErrJSONLD},
		"a set with a type and claims":         {``, `,"name":{"@set":["n"],"@type":"x:T","x:p":1}`, ErrJSONLD},
		"the subject as a list":                {``, `,"credentialSubject":{"type":"x:T","name":"n","@list":["x"]}`, ErrJSONLD},
		"a list for a list with a type":        {`,{"l":{"@id":"x:l","@container":"@list"}}`, `,"l":{"@list":["n"],"type":"x:T"}`, ErrJSONLD},
		"a list in an id map":                  {`,{"m":{"@id":"x:m","@container":"@id"}}`, `,"m":{"x:i":{"@list":["n"]}}`, ErrUndefined},
		"a list in a type map":                 {`,{"m":{"@id":"x:m","@container":"@type"}}`, `,"m":{"x:T":{"@list":["n"]}}`, ErrUndefined},
		"a list in a property index":           {`,{"m":{"@id":"x:m","@container":"@index","@index":"x:i"}}`, `,"m":{"k":{"@list":["n"]}}`, ErrUndefined},
		"a value in an id map":                 {`,{"m":{"@id":"x:m","@container":"@id"}}`, `,"m":{"x:i":"n"}`, ErrUndefined},
		"a value in a type map":                {`,{"m":{"@id":"x:m","@container":"@type"}}`, `,"m":{"x:T":{"@value":"n"}}`, ErrUndefined},
		"an empty entry of a language map":     {`,{"l":{"@id":"x:l","@container":"@language"}}`, `,"l":{"en":"n","fr":[]}`, ErrUndefined},
		"an empty entry of an id map":          {`,{"m":{"@id":"x:m","@container":"@id"}}`, `,"m":{"x:i":{"x:p":1},"x:j":[]}`, ErrUndefined},
		"an empty entry of a type map":         {`,{"m":{"@id":"x:m","@container":"@type"}}`, `,"m":{"x:T":{"id":"x:i"},"x:U":[]}`, ErrUndefined},
		"an array in a set":                    {``, `,"name":[["n"],"m"]`, ErrUndefined},
		"an array in @set":                     {``, `,"name":{"@set":[["n"],"m"]}`, ErrUndefined},
		"an array in @list":                    {``, `,"name":{"@list":[["n"],"m"]}`, ErrUndefined},
		"an empty array in @list":              {``, `,"name":{"@list":["n",[]]}`, ErrUndefined},
		"an array in @graph":                   {``, `,"@graph":[[{"id":"x:y","x:p":1}]]`, ErrUndefined},
		"an array in @included":                {``, `,"@included":[[{"id":"x:y","x:p":1}]]`, ErrUndefined},
		"a set in a set":                       {``, `,"name":["n",{"@set":["m"]}]`, ErrUndefined},
		"a set as the values of @set":          {``, `,"name":{"@set":{"@set":["n"]}}`, ErrUndefined},
		"a set as the values of @list":         {``, `,"name":{"@list":{"@set":["n"]}}`, ErrUndefined},
		"a set in @list":                       {``, `,"name":{"@list":[{"@set":["n"]},"m"]}`, ErrUndefined},
		"a set for a list":                     {`,{"l":{"@id":"x:l","@container":"@list"}}`, `,"l":{"@set":["n"]}`, ErrUndefined},
		"types under two names":                {``, `,"@type":"x:T"`, ErrUndefined},
		"a type grouped":                       {``, `,"@nest":{"type":"x:T"}`, ErrUndefined},
		"a type with a byte order mark":        {vocab, `,"credentialSubject":{"type":"\ufeff"}`, ErrIRI},
		"a property with a joiner":             {vocab, `,"na\u200dme":"n"`, ErrIRI},
		"an id with a soft hyphen":             {``, `,"id":"x:a\u00adb"`, ErrIRI},
		"an id with a filler":                  {``, `,"id":"x:a\u3164b"`, ErrIRI},
		"an id with a variation selector":      {``, `,"id":"x:a\ufe0fb"`, ErrIRI},
		"an id with a tag":                     {``, `,"id":"x:a\udb40\udc41"`, ErrIRI},
		"an id with a C1 control":              {``, `,"id":"x:a\u0085"`, ErrIRI},
		"an id with a wide space":              {``, `,"id":"x:a\u3000"`, ErrIRI},
		"a datatype with an override":          {``, `,"name":{"@value":"n","@type":"x:\u202ea"}`, ErrIRI},
		"an integer that is too large":         {``, `,"name":9007199254740993`, ErrNumber},
		"an integer beyond":                    {``, `,"name":1e20`, ErrNumber},
		"a number with too many digits":        {``, `,"name":0.1000000000000000055`, ErrNumber},
		"a number that RDF would round":        {``, `,"name":0.30000000000000004`, ErrNumber},
		"an integer with a hidden fraction":    {``, `,"name":9007199254740991.0001`, ErrNumber},
		"negative zero":                        {``, `,"name":-0`, ErrNumber},
		"a number in a JSON literal":           {`,{"j":{"@id":"x:j","@type":"@json"}}`, `,"j":[{"a":9007199254740993}]`, ErrNumber},
		"an infinite number":                   {``, `,"name":1e999`, ErrJSON},
		"a member named twice":                 {``, `,"name":"n","name":"m"`, ErrJSON},
		"a member named twice with an escape":  {``, `,"name":"n","\u006eame":"m"`, ErrJSON},
		"half a surrogate pair":                {``, `,"name":"\ud800"`, ErrJSON},
		"a surrogate pair the wrong way":       {``, `,"name":"\udc00\ud800"`, ErrJSON},
		"a raw control":                        {``, ",\"name\":\"\x01\"", ErrJSON},
		"not UTF-8":                            {``, ",\"name\":\"\xff\"", ErrJSON},
		"a number with a plus":                 {``, `,"name":+1`, ErrJSON},
		"a number with a zero before":          {``, `,"name":01`, ErrJSON},
		"a bare point":                         {``, `,"name":1.`, ErrJSON},
		"a comma too many":                     {``, `,`, ErrJSON},
		"a comma too many in an array":         {``, `,"name":["n",]`, ErrJSON},
		"something after the document":         {``, `} {`, ErrJSON},
		"deep nesting":                         {vocab, `,"a":` + many, ErrJSON},
		"an unknown context":                   {`,"https://b.example/c"`, ``, ErrContext},
		"a relative context":                   {`,"v2"`, ``, ErrContext},
		"an unknown context below":             {``, `,"credentialSubject":{"@context":"https://b.example/c","id":"x:y"}`, ErrContext},
		"an unknown context of a term":         {`,{"a":{"@id":"x:a","@context":"https://b.example/c"}}`, ``, ErrContext},
		"an unknown context to import":         {`,{"@import":"https://b.example/c"}`, ``, ErrContext},
		"a number as context":                  {`,1`, ``, ErrContext},
		"an array in the array of contexts":    {`,[{}]`, ``, ErrContext},
		"a false @version":                     {`,{"@version":1.0}`, ``, ErrContext},
		"@protected that is no boolean":        {`,{"@protected":"yes"}`, ``, ErrContext},
		"a vocabulary relative to nothing":     {`,{"@vocab":"v"}`, ``, ErrContext},
		"an empty vocabulary":                  {`,{"@vocab":""}`, ``, ErrContext},
		"a vocabulary that makes keywords":     {`,{"@vocab":"@"}`, `,"value":"x"`, ErrContext},
		"a term relative to nothing":           {`,{"a":"b"}`, ``, ErrContext},
		"a term in a circle":                   {`,{"a":"b:c","b":"a:c"}`, ``, ErrContext},
		"a term that grows":                    {`,{"a":"x:` + strings.Repeat("a", maxTermIRI) + `#"}`, ``, ErrContext},
		"a vocabulary that grows":              {`,{"@vocab":"x:` + strings.Repeat("a", maxTermIRI) + `#"}`, ``, ErrContext},
		"an empty term":                        {`,{"":"x:y"}`, ``, ErrContext},
		"a keyword redefined":                  {`,{"@id":"x:y"}`, ``, ErrContext},
		"@context by another name":             {`,{"c":"@context"}`, ``, ErrContext},
		"@nest with a context without effect":  {``, `,"@nest":{"@context":{"a":"x:a"},"x:b":1}`, ErrContext},
		"a protected term redefined":           {`,{"name":"x:y"}`, ``, ErrProtected},
		"a protected term redefined below":     {``, `,"credentialSubject":{"@context":{"name":"x:y"},"name":"n"}`, ErrProtected},
		"a protected term redefined by a type": {`,{"T":{"@id":"x:T","@context":{"name":"x:y"}}}`, `,"credentialSubject":{"type":"T","name":"n"}`, ErrProtected},
		"a protected term undefined":           {`,{"name":null}`, ``, ErrProtected},
		"a protected term undefined by @id":    {`,{"name":{"@id":null}}`, ``, ErrProtected},
		"a protected term like a keyword":      {`,{"name":"@nope"}`, ``, ErrProtected},
		"a protected term reversed":            {`,{"name":{"@reverse":"x:y"}}`, ``, ErrProtected},
		"a protected term reversed to nothing": {`,{"name":{"@reverse":"@nope"}}`, ``, ErrProtected},
		"undefined, then redefined":            {`,{"name":null},{"name":"x:y"}`, ``, ErrProtected},
		"reserved, then redefined":             {`,{"name":"@nope"},{"name":"x:y"}`, ``, ErrProtected},
		"no context":                           {`,null`, ``, ErrProtected},
		"no context below":                     {``, `,"credentialSubject":{"@context":null,"x:p":1}`, ErrProtected},
		"another container":                    {`,{"name":{"@id":"https://schema.org/name","@container":"@list"}}`, ``, ErrProtected},
		"another type of a protected term":     {`,{"mediaType":{"@id":"https://schema.org/encodingFormat","@type":"@json"}}`, ``, ErrProtected},
		"import over a protected term":         {`,{"@import":"https://www.w3.org/ns/credentials/v2","name":"x:y"}`, ``, ErrProtected},
	} {
		t.Run(name, func(t *testing.T) {
			text := doc(c.context, c.members)
			quads, err := Quads(text)
			if !errors.Is(err, c.want) || quads != nil {
				t.Errorf("Quads: %v, want %v", err, c.want)
			}
			if !errors.Is(Check(text), c.want) {
				t.Errorf("Check: %v, want %v", Check(text), c.want)
			}
			if out, err := Canonical(text, crypto.SHA256); !errors.Is(err, c.want) || out != nil {
				t.Errorf("Canonical: %v, want %v", err, c.want)
			}
			if err == nil {
				return
			}
			if fault.As(err).Detail == "" || strings.Contains(err.Error(), "nope") {
				t.Errorf("the error is not fit to be shown: %v", err)
			}
		})
	}
	for name, text := range map[string]string{
		"nothing": "", "white space": " ", "null": "null", "a string": `"x"`, "an array": `[{"x:a":"b"}]`, "a number": "1", "half": `{"a"`,
		"an empty object": `{}`, "a context alone": `{"@context":"https://www.w3.org/ns/credentials/v2"}`, "an id alone": `{"@id":"x:y"}`,
		"a value": `{"@value":"x"}`, "a list": `{"@list":["x"]}`, "a language": `{"@language":"en"}`, "a byte order mark": "\ufeff{}",
		"no @context": `{"type":["VerifiableCredential"]}`,
	} {
		if quads, err := Quads([]byte(text)); err == nil || quads != nil {
			t.Errorf("%s is taken", name)
		}
	}
}

// However the bounds are used up, the answer comes soon.
func TestStrictBounds(t *testing.T) {
	repeat := func(n int, f string) string {
		var b strings.Builder
		for i := range n {
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteString(strings.ReplaceAll(f, "$", strconv.Itoa(i)))
		}
		return b.String()
	}
	const v2 = `"https://www.w3.org/ns/credentials/v2"`
	for name, c := range map[string]struct {
		context, members string
		want             error
	}{
		"many values":                      {vocab, `,"a":[` + repeat(maxValues, "$") + `]`, ErrLarge},
		"many members":                     {vocab, `,` + repeat(maxValues, `"a$":1`), ErrLarge},
		"many contexts over a large one":   {`,{` + repeat(5000, `"t$":"x:t$"`) + `}`, `,"x:a":[` + repeat(4000, `{"@context":{},"x:b":1}`) + `]`, ErrWork},
		"many contexts":                    {`,` + repeat(10000, v2+`,{"a$":"x:$"}`), ``, ErrWork},
		"many scoped contexts":             {`,{` + repeat(2000, `"t$":{"@id":"x:t$","@context":`+v2+`}`) + `}`, ``, ErrWork},
		"many types with contexts":         {`,{` + repeat(2000, `"T$":{"@id":"x:T$","@context":{"p$":"x:p"}}`) + `}`, `,"x:a":{"type":[` + repeat(2000, `"T$"`) + `]}`, ErrWork},
		"terms made of terms":              {`,{"t":"x:#",` + repeat(2000, `"t$":"t:aaaaaaaaaa"`) + `}`, ``, nil},
		"nodes that are alike, in a list":  {vocab, `,"a":{"@list":[` + repeat(8000, "1") + `]}`, ErrWork},
		"nodes that are alike, in a round": {vocab, `,"a":[` + repeat(2000, `{"id":"_:$","b":{"id":"_:1$"}}`) + `]`, nil},
	} {
		start := time.Now()
		_, err := canonicalSlow(doc(c.context, c.members), crypto.SHA256)
		took := time.Since(start)
		t.Logf("%s: %v", name, took)
		if c.want != nil && !errors.Is(err, c.want) || took > 10*time.Second {
			t.Errorf("%s: %v after %v, want %v", name, err, took, c.want)
		}
	}
	if quads, err := Quads(bytes.Repeat([]byte(" "), MaxBytes+1)); !errors.Is(err, ErrLarge) || quads != nil {
		t.Errorf("a large document: %v", err)
	}
}

// What the same document may well say.
func TestStrictAccepts(t *testing.T) {
	for name, c := range map[string]struct{ context, members, line string }{
		"nothing more":         {``, ``, `_:c14n0 <https://www.w3.org/2018/credentials#issuer> <did:example:i> .`},
		"an IRI as a property": {``, `,"x:p":"v"`, `_:c14n0 <x:p> "v" .`},
		"a vocabulary":         {vocab, `,"p":"v"`, `_:c14n0 <https://v.example/#p> "v" .`},
		"a vocabulary's type":  {vocab, `,"credentialSubject":{"id":"x:y","type":"T"}`, `<x:y> <` + rdfType + `> <https://v.example/#T> .`},
		"examples":             {`,"https://www.w3.org/ns/credentials/examples/v2"`, `,"p":"v"`, `_:c14n0 <https://www.w3.org/ns/credentials/examples#p> "v" .`},
		"an empty list":        {`,{"l":{"@id":"x:l","@container":"@list"}}`, `,"l":[]`, `_:c14n0 <x:l> <` + rdfNil + `> .`},
		"lists in a list":      {`,{"l":{"@id":"x:l","@container":"@list"}}`, `,"l":[["a"],[]]`, `_:c14n1 <` + rdfFirst + `> <` + rdfNil + `> .`},
		"an IRI in letters":    {``, `,"id":"x:\u0928\u0947\u092a\u093e\u0932","x:p":"v"`, `<x:नेपाल> <x:p> "v" .`},
		"an empty object":      {``, `,"x:p":{}`, `_:c14n1 <x:p> _:c14n0 .`},
		"a language":           {``, `,"name":{"@value":"n","@language":"EN-gb"}`, `_:c14n0 <https://schema.org/name> "n"@en-gb .`},
		"a direction":          {``, `,"name":{"@value":"n","@direction":"rtl"}`, `_:c14n0 <https://schema.org/name> "n"^^<https://www.w3.org/ns/i18n#_rtl> .`},
		"both":                 {``, `,"name":{"@value":"n","@language":"Ar","@direction":"rtl"}`, `_:c14n0 <https://schema.org/name> "n"^^<https://www.w3.org/ns/i18n#ar_rtl> .`},
		"an integer":           {``, `,"x:p":9007199254740992`, `_:c14n0 <x:p> "9007199254740992"^^<` + xsd + `integer> .`},
		"a double":             {``, `,"x:p":-1.50e-7`, `_:c14n0 <x:p> "-1.5E-7"^^<` + xsd + `double> .`},
		"a whole double":       {``, `,"x:p":5.0`, `_:c14n0 <x:p> "5"^^<` + xsd + `integer> .`},
		"a typed integer":      {``, `,"x:p":{"@value":5,"@type":"` + xsd + `double"}`, `_:c14n0 <x:p> "5.0E0"^^<` + xsd + `double> .`},
		"a boolean":            {``, `,"x:p":false`, `_:c14n0 <x:p> "false"^^<` + xsd + `boolean> .`},
		"null in JSON":         {`,{"j":{"@id":"x:j","@type":"@json"}}`, `,"j":{"b":[null,1.0],"a":"\u0001"}`, `_:c14n0 <x:j> "{\"a\":\"\\u0001\",\"b\":[null,1]}"^^<` + rdfJSON + `> .`},
		"JSON that is null":    {`,{"j":{"@id":"x:j","@type":"@json"}}`, `,"j":null`, `_:c14n0 <x:j> "null"^^<` + rdfJSON + `> .`},
		"a language map":       {`,{"l":{"@id":"x:l","@container":"@language"}}`, `,"l":{"en":["a","b"],"@none":"c"}`, `_:c14n0 <x:l> "b"@en .`},
		"an id map":            {`,{"m":{"@id":"x:m","@container":"@id"}}`, `,"m":{"x:i":{"x:p":"v"}}`, `<x:i> <x:p> "v" .`},
		"a type map":           {`,{"m":{"@id":"x:m","@container":"@type"}}`, `,"m":{"x:T":{"id":"x:i"}}`, `<x:i> <` + rdfType + `> <x:T> .`},
		"a property index":     {`,{"m":{"@id":"x:m","@container":"@index","@index":"x:i"}}`, `,"m":{"k":{"id":"x:y"}}`, `<x:y> <x:i> "k" .`},
		"@nest":                {``, `,"@nest":{"x:p":"v"}`, `_:c14n0 <x:p> "v" .`},
		"@included":            {``, `,"@included":{"id":"x:y","x:p":"v"}`, `<x:y> <x:p> "v" .`},
		"@reverse":             {``, `,"@reverse":{"x:p":{"id":"x:y"}}`, `<x:y> <x:p> _:c14n0 .`},
		"@graph":               {``, `,"id":"x:g","@graph":{"id":"x:y","x:p":"v"}`, `<x:y> <x:p> "v" <x:g> .`},
		"a blank node":         {``, `,"credentialSubject":{"id":"_:b 0","x:p":{"id":"_:b 0"}}`, `_:c14n1 <x:p> _:c14n1 .`},
		"a protected term, the same": {`,{"name":"https://schema.org/name"}`, `,"name":"n"`,
			`_:c14n0 <https://schema.org/name> "n" .`},
		"a presentation's own context": {``, `,"credentialSubject":{"id":"x:y","type":"VerifiablePresentation","verifiableCredential":
			{"@context":["https://www.w3.org/ns/credentials/v2"],"type":["VerifiableCredential"],"issuer":"did:example:j"}}`,
			`_:c14n1 <https://www.w3.org/2018/credentials#issuer> <did:example:j> _:c14n0 .`},
	} {
		got, err := Canonical(doc(c.context, c.members), crypto.SHA256)
		if err != nil || !strings.Contains("\n"+string(got), "\n"+c.line+"\n") {
			t.Errorf("%s: %v\n%s", name, err, got)
		}
		slow, err := canonicalSlow(doc(c.context, c.members), crypto.SHA256)
		if err != nil || string(slow) != string(got) {
			t.Errorf("%s: the two paths differ: %v", name, err)
		}
	}
}

// A presentation without credentials may say so with an empty array; nothing
// else may be empty.
func TestEmptyPresentation(t *testing.T) {
	with := []byte(`{"@context":["https://www.w3.org/ns/credentials/v2"],"type":["VerifiablePresentation"],"holder":"did:example:h","verifiableCredential":[]}`)
	if _, err := Quads(with); err != nil {
		t.Error(err)
	}
}

// Nothing is fetched: the only contexts there are come out of the binary, and an
// unknown one is asked for nowhere.
func TestNothingIsFetched(t *testing.T) {
	var asked []string
	p := processor{strict: true, load: func(url string) (any, error) {
		asked = append(asked, url)
		return loadBuiltin(url)
	}}
	v, err := readJSON(doc(`,"https://w3id.org/security/v2","https://b.example/c","https://c.example/d"`, ``))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.expand(v, &activeContext{sealed: true}); !errors.Is(err, ErrContext) {
		t.Errorf("%v", err)
	}
	want := "https://www.w3.org/ns/credentials/v2 https://w3id.org/security/v2 https://w3id.org/security/v1 https://b.example/c"
	if got := strings.Join(asked, " "); got != want {
		t.Errorf("asked for %s", got)
	}
	if v, err := loadBuiltin("https://b.example/c"); v != nil || !errors.Is(err, ErrContext) {
		t.Errorf("an unknown context: %v %v", v, err)
	}
}

// Contexts that belong together are made once for all documents, and a document
// cannot add to them without end.
func TestSharedContexts(t *testing.T) {
	before := kept.Load()
	for range 100 {
		// Within p the context is the shared one again, which the context of an
		// unshared term then changes.
		_, err := quadsSlow(doc(``, `,"x:a":{"@context":{"@propagate":false,"p":{"@id":"x:p","@context":{"q":"x:q"}}},"p":{"q":1}}`))
		if err != nil {
			t.Fatal(err)
		}
	}
	if n := kept.Load() - before; n > 8 {
		t.Errorf("%d contexts were kept", n)
	}
}

// Documents are read at the same time, and share contexts.
func TestReadAtOnce(t *testing.T) {
	docs := map[string]string{}
	for name, text := range ownDocuments {
		want, err := canonicalSlow(sample(text), crypto.SHA256)
		if err != nil {
			t.Fatal(err)
		}
		docs[name] = string(want)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for name, want := range docs {
				if got, err := canonicalSlow(sample(ownDocuments[name]), crypto.SHA256); err != nil || string(got) != want {
					t.Errorf("%s: %v", name, err)
				}
			}
		})
	}
	wg.Wait()
}

// FuzzQuads: a failed reading returns nothing; what is read has a canonical form
// that reads again to the same.
func FuzzQuads(f *testing.F) {
	f.Add(doc(vocab, `,"a":{"@list":[1,{"@value":"x","@language":"en"}]}`))
	f.Add(doc(`,{"j":{"@id":"x:j","@type":"@json"},"r":{"@reverse":"x:r"}}`, `,"j":[1.5,null],"r":{"id":"x:y"}`))
	for _, dir := range []string{"vc-di-eddsa", "vc-di-ecdsa", "json-ld-api/toRdf", "bitstring-status-list"} {
		for _, seed := range vectest.Seeds(dir, ".json", 100) {
			f.Add(seed)
		}
		for _, seed := range vectest.Seeds(dir, "-in.jsonld", 600) {
			f.Add(seed)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		quads, err := Quads(data)
		if err != nil {
			if quads != nil {
				t.Fatal("a failed reading returns something")
			}
			var known *fault.Fault
			if !errors.As(err, &known) || known.Kind == fault.Internal {
				t.Fatalf("a document makes an internal error: %v", err)
			}
			return
		}
		if len(quads) == 0 {
			t.Fatal("a document that says nothing is taken")
		}
		first, err := appendCanonical(nil, quads, crypto.SHA256)
		if errors.Is(err, ErrWork) || len(first) > MaxBytes {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		again, err := ParseNQuads(first)
		if err != nil {
			t.Fatalf("what was read cannot be written: %v\n%s", err, first)
		}
		second, err := appendCanonical(nil, again, crypto.SHA256)
		if err != nil || string(first) != string(second) {
			t.Fatalf("the canonical form is not canonical: %v", err)
		}
	})
}
