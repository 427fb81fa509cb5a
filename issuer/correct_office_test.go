package issuer_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/kinpass/kinpass/internal/store"
	"github.com/kinpass/kinpass/internal/store/storetest"
	"github.com/kinpass/kinpass/issuer"
)

// A former parent's wallet cannot follow the child into a sealed identity: not
// by its tokens, not by renewing them, not by an offer that is open or one that
// it redeemed a moment ago.
func TestSealedCorrectionEndsGrants(t *testing.T) {
	storetest.Each(t, "issuer", func(t *testing.T, db *store.DB) {
		o := openOffice(t, db)
		childRef, birth, g := o.family()
		w, late := o.wallet(), o.wallet()
		redeemed, open := o.offer(g), o.offer(g)
		w.redeem(redeemed)
		w.fetch("GuardianshipCredential")
		bearer := &handWallet{office: o, holder: edKey(t)}
		bearer.redeem(o.offer(g))

		hidden := strings.Replace(birthOf(childRef), `"number":"ZAF-`, `"number":"ZAF-NEW`, 1)
		hidden = strings.Replace(hidden, `"registration":{`, `"amendment":{"reason":"protectionIdentity","effective":"2026-11-01","sealed":true},"registration":{`, 1)
		var out issuer.Outcome
		o.call("POST", "/births/"+birth+"/corrections", "rita", hidden).want(202, "pendingApproval").into(&out)
		o.call("POST", "/approvals/"+out.Approval, "rob", `{"decision":"approve"}`).want(200, "issued")

		for _, x := range []*handWallet{w, bearer} {
			for _, config := range []string{"GuardianshipCredential", "GuardianshipCredentialBorder", "BirthCredential", "BirthCredentialBorder"} {
				x.request(config, x.proof()).want(400, `"error":"credential_request_denied"`).without("credentials")
			}
		}
		w.form(url.Values{"grant_type": {"refresh_token"}, "refresh_token": {w.tokens.Refresh}}).want(400, `"invalid_grant"`)
		w.form(codeForm(redeemed)).want(400, `"invalid_grant"`)
		late.form(codeForm(open)).want(400, `"invalid_grant"`)
		o.call("GET", "/offers/"+open.ID, "", "").want(404, "no-such-offer")
		o.call("POST", "/offers", "rita", `{"guardianship":"`+g+`"}`).want(409, "record-revoked")
		o.call("GET", "/births/"+birth+"/paper?guardianship="+g, "rita", "").want(409, "record-revoked")
		o.pass(time.Hour)
		w.form(url.Values{"grant_type": {"refresh_token"}, "refresh_token": {w.tokens.Refresh}}).want(400, `"invalid_grant"`)
	})
}
