package qr

// dictionary1 is the preset dictionary number 1 of KP1: the text of Kinpass
// credentials as it looks once values are replaced by markers. It is published,
// so it never changes: a test holds its digest. What is needed more often
// stands nearer to its end.
const dictionary1 = words1 + consents1 + fulls1 + variants1 + presentation1 + guardianship1 + birth1

var dictionaryBytes = []byte(dictionary1)

// Pieces that every credential has.
const (
	head1 = `{"alg":"EdDSA","cty":"vc","kid":"did:web:` + markHost + `#` + markFragment + `","typ":"vc+jwt"}` + markHeaderEnd +
		`{"@context":["https://www.w3.org/ns/credentials/v2","https://w3id.org/kinpass/v1"],"id":"urn:uuid:` + markUUID +
		`","type":["VerifiableCredential","`
	issued1 = `Credential"],"issuer":"did:web:` + markHostAgain + `","validFrom":"` + markTime + `","validUntil":"` + markTime + `","credentialSubject":{"`
	status1 = `},"credentialStatus":[{"type":"BitstringStatusListEntry","statusPurpose":"revocation","statusListIndex":"` + markIndex +
		`","statusListCredential":"` + markOrigin + `/status/revocation/` + markNumber +
		`"},{"type":"BitstringStatusListEntry","statusPurpose":"suspension","statusListIndex":"` + markIndexAgain +
		`","statusListCredential":"` + markOrigin + `/status/suspension/` + markNumberAgain +
		`"}],"credentialSchema":{"id":"https://w3id.org/kinpass/schemas/credential/`
	schema1 = `/1.json","type":"JsonSchema"}}` + markPayloadEnd
	name1   = `[{"kind":"legal","script":"Latn","mrz":{"primary":"` + markCapitals + `","secondary":"` + markCapitals + `"}}]`
	doc1    = `[{"type":"passport","value":"` + markCapitals + `","issuer":"` + markCountry + `"}]`
)

const birth1 = head1 + `Birth` + issued1 + `childRef":"` + markRef + `","recordVersion":1,"circumstance":"ordinary","names":` + name1 +
	`,"birthDate":{"value":"` + markDate + `","precision":"day"},"sex":2,"placeOfBirth":{"country":"` + markCountry +
	`"},"parentage":[{"role":"mother","status":"known"},{"role":"father","status":"known"}],"registration":{"number":"` + markCapitals +
	`","date":"` + markDate + `","mode":"timely"},"travelDocuments":` + doc1 + status1 + `birth-border` + schema1

const guardianship1 = head1 + `Guardianship` + issued1 + `id":"did:key:` + markKey + `","guardian":{"kind":"naturalPerson","names":` + name1 +
	`,"documents":` + doc1 + `},"ward":{"childRef":"` + markRefFirst +
	`"},"role":"mother","legalBasis":{"type":"parentalResponsibilityByBirth","law":"` + markCountry +
	`"},"powers":[` + markPowers + `],"exercise":{"mode":"independent","coGuardianCount":2},"effective":{"from":"` + markDate +
	`"},"termination":{"majorityAge":18,"majorityLaw":"` + markCountry + `"}` + status1 + `guardianship-border` + schema1

const presentation1 = `{"alg":"EdDSA","cty":"vp","kid":"did:key:` + markKey + `#` + markKeyAgain + `","typ":"vp+jwt"}` + markHeaderEnd +
	`{"@context":["https://www.w3.org/ns/credentials/v2"],"type":["VerifiablePresentation"],"holder":"did:key:` + markKeyAgain +
	`","verifiableCredential":[` + enveloped1 + `,` + enveloped1 + `,` + enveloped1 + `],"aud":"https://w3id.org/kinpass/border","nonce":"` + markRef +
	`","iat":` + markSeconds + `,"exp":` + markFiveMinutes + `}` + markPayloadEnd

const enveloped1 = `{"@context":"https://www.w3.org/ns/credentials/v2","id":"` + markEmbedded + `","type":"EnvelopedVerifiableCredential"}`

const variants1 = ``
const fulls1 = ``
const consents1 = ``
const words1 = ``
