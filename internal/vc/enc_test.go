package vc_test

import "encoding/base64"

func enc(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
