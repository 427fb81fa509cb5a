package pagetest

import "time"

func now() time.Time { return time.Now().UTC() }
