package qr

import "strings"

// dictionary1 is the preset dictionary number 1 of KP1: the text of Kinpass
// credentials as it looks once values are replaced by markers. It is published,
// so it never changes: a test holds its digest. What is needed more often
// stands nearer to its end.
var dictionary1 = strings.NewReplacer(phrasePairs()...).Replace(
	fulls1 + variants1 + consents1 + presentation1 + guardianship1 + birth1)

var dictionaryBytes = []byte(dictionary1)

// Pieces that every credential has.
const (
	head1  = `{"alg":"EdDSA","cty":"vc","kid":"did:web:` + markHost + `#` + markFragment + typed1
	typed1 = `","typ":"vc+jwt"}` + markHeaderEnd + `{"@context":["https://www.w3.org/ns/credentials/v2","https://w3id.org/kinpass/v1"],"id":"urn:uuid:` +
		markUUID + `","type":["VerifiableCredential","`
	issued1  = `Credential"],"issuer":"did:web:` + markHostAgain + `","validFrom":"` + markTime + `","validUntil":"` + markTime + `","credentialSubject":{"`
	revoked1 = `},"credentialStatus":[{"type":"BitstringStatusListEntry","statusPurpose":"revocation","statusListIndex":"` + markIndex +
		`","statusListCredential":"` + markOrigin + `/status/revocation/`
	suspended1 = `"},{"type":"BitstringStatusListEntry","statusPurpose":"suspension","statusListIndex":"` + markIndexAgain +
		`","statusListCredential":"` + markOrigin + `/status/suspension/` + markNumberAgain +
		`"}],"credentialSchema":{"id":"https://w3id.org/kinpass/schemas/credential/`
	status1    = revoked1 + markNumber + suspended1
	schema1    = `/1.json","type":"JsonSchema"}}` + markPayloadEnd
	name1      = `[{"kind":"legal","script":"` + markWord + `","mrz":{"primary":"` + markCapitals + `","secondary":"` + markCapitals + `"}}]`
	document1  = `[{"type":"passport","value":"` + markCapitals + `","issuer":"` + markCountry + `"}]`
	parents1   = `"parentage":[{"role":"mother","status":"known"},{"role":"father","status":"known"}],"registration":{"number":"` + markCapitals + `","date":"` + markDate + `","mode":"`
	presented1 = `","typ":"vp+jwt"}` + markHeaderEnd + `{"@context":["https://www.w3.org/ns/credentials/v2"],"type":["VerifiablePresentation"],"holder":"did:key:` + markKeyAgain + `","verifiableCredential":[`
	enveloped1 = `{"@context":"https://www.w3.org/ns/credentials/v2","id":"` + markEmbedded + `","type":"EnvelopedVerifiableCredential"}`
	audience1  = `],"aud":"https://w3id.org/kinpass/border","nonce":"` + markRef + `","iat":` + markSeconds + `,"exp":` + markFiveMinutes + `}` + markPayloadEnd
)

// phrases1 are the pieces that stand in nearly every packet; each is one byte
// in the text, since DEFLATE needs three bytes for every 258 it copies. Like
// the dictionary they are published and never change.
var phrases1 = [...]string{typed1, issued1, revoked1, suspended1, schema1, name1, document1, parents1, presented1, enveloped1, audience1,
	`{"alg":"EdDSA","cty":"vc","kid":"did:web:`, `{"alg":"ES256","cty":"vc","kid":"did:web:`}

// phraseMark gives the marker of a phrase: the bytes that never occur in UTF-8.
func phraseMark(i int) string { return "\xf5\xf6\xf7\xf8\xf9\xfa\xfb\xfc\xfd\xfe\xff\xc0\xc1"[i : i+1] }

// phraseOf holds the phrase of each marker.
var phraseOf = func() (t [256][]byte) {
	for i, s := range phrases1 {
		t[phraseMark(i)[0]] = []byte(s)
	}
	return t
}()

func phrasePairs() []string {
	var pairs []string
	for i, s := range phrases1 {
		pairs = append(pairs, s, phraseMark(i))
	}
	return pairs
}

const birth1 = head1 + `Birth` + issued1 + `childRef":"` + markRef + `","recordVersion":1,"circumstance":"ordinary","names":` + name1 +
	`,"birthDate":{"value":"` + markDate + `","precision":"day"},"sex":2,"placeOfBirth":{"country":"` + markCountry +
	`"},` + parents1 + `timely"},"travelDocuments":` + document1 + status1 + `birth-border` + schema1

const guardianship1 = head1 + `Guardianship` + issued1 + `id":"did:key:` + markKey + `","guardian":{"kind":"naturalPerson","names":` + name1 +
	`,"documents":` + document1 + `},"ward":{"childRef":"` + markRefFirst +
	`"},"role":"` + markWord + `","legalBasis":{"type":"parentalResponsibilityByBirth","law":"` + markCountry +
	`"},"powers":[` + markPowers + `],"exercise":{"mode":"independent","coGuardianCount":2},"effective":{"from":"` + markDate +
	`"},"termination":{"majorityAge":18,"majorityLaw":"` + markCountry + `"}` + status1 + `guardianship-border` + schema1

const presentation1 = `{"alg":"EdDSA","cty":"vp","kid":"did:key:` + markKey + `#` + markKeyAgain + presented1 +
	enveloped1 + `,` + enveloped1 + `,` + enveloped1 + `,` + enveloped1 + audience1

// Members and values that only some credentials have, each with the text
// around it.
const (
	variants1 = `{"alg":"ES256","cty":"vp","kid":"did:key:` +
		`{"alg":"ES256","cty":"vc","kid":"did:web:` + markHost +
		// births
		`"recordVersion":2,"circumstance":"foundling","circumstance":"unaccompaniedDisplaced","circumstance":"refugeeHostState","circumstance":"inTransit","circumstance":"reconstructed","names":[{"kind":"usual","script":"` +
		`[{"kind":"atBirth","script":"` + markWord + `","mrz":{"primary":"` + markEscaped + `","secondary":"` + markEscaped + `"},"status":"provisional"}],"birthDate":{"value":"` +
		`","precision":"month"},"birthDate":{"value":"20","precision":"year"},"birthDate":{"precision":"unknown"},"birthDate":{"precision":"range","earliest":"` + markDate + `","latest":"` + markDate +
		`"},"sex":0,"placeOfBirth":{},"multipleBirth":{"plurality":3,"order":1},"sex":9,"placeOfBirth":{"country":"` + markCountry + `"},"multipleBirth":{"plurality":2,"order":2},"parentage":[],"registration":{"number":"` +
		`"parentage":[{"role":"mother","status":"deceased"},{"role":"father","status":"withheld"},{"role":"mother","status":"unknown"},{"role":"father","status":"unknown"},{"role":"mother","status":"undeclared"},{"role":"father","status":"undeclared"},{"role":"parent","status":"known"},{"role":"parent","status":"known"}],"registration":{"number":"` +
		`","mode":"delayedByCourt","mode":"consular","mode":"reconstructed","mode":"late"},"travelDocuments":[{"type":"laissezPasser","value":"` +
		`","mode":"timely"},"portrait":{"sha256":"` + markDigest + `","recaptureBy":"` + markDate + `"}},"credentialStatus":[` +
		`"issuer":"` + markCountry + `"}],"portrait":{"sha256":"` + markDigest + `","recaptureBy":"` + markDate + `"}},"credentialStatus":[` +
		`"documents":[{"type":"NID","value":"UIN","BRN","type":"unhcrIndividual","type":"courtCase","type":"other","value":"` + markCapitals +
		// guardianships
		`"guardian":{"kind":"institution","guardian":{"kind":"office"},"ward":{"childRef":"` + markRef +
		`"},"legalBasis":{"type":"parentalAgreement","law":"` + markCountry + `","legalBasis":{"type":"acknowledgement","law":"` +
		`"legalBasis":{"type":"courtOrder","law":"` + markCountry + `","hague1996Art40":true,"decidedOn":"` + markDate + `","finality":"final"},"powers":[` +
		`"legalBasis":{"type":"adoptionSimple","law":"` + markCountry + `","hague1993Art23":true,"decidedOn":"` + markDate + `","finality":"appealable"},"powers":[` +
		`"legalBasis":{"type":"adoptionPlenary","law":"` + markCountry + `","hague1996Art40":false,"hague1993Art23":false,"decidedOn":"` + markDate + `","finality":"provisional"},"powers":[` +
		`"legalBasis":{"type":"kafala","law":"` + markCountry + `","decidedOn":"` + markDate + `","finality":"urgent"},"powers":[` +
		`"legalBasis":{"type":"publicAuthority","legalBasis":{"type":"customary","legalBasis":{"type":"testamentary","legalBasis":{"type":"humanitarianMandate","law":"` + markCountry +
		`","countersignedBy":"did:web:` + markHost + `"},"powers":[` +
		`],"exercise":{"mode":"sole"},"constraints":{"allowedCountries":["` + markCountry + `","` + markCountry + `"],"deniedCountries":["` + markCountry +
		`"],"maxAbsenceDays":30,"supervised":true,"noRemoval":true,"conditions":"` + `"},"effective":{"from":"` + markDate + `","until":"` + markDate + `","reviewBy":"` + markDate +
		`"},"termination":{"majorityAge":21,"majorityLaw":"` + markCountry + `","events":["majority","emancipation","marriage","courtOrder","deathOfGuardian","deathOfWard","adoption","mandateEnd","reunification","revocationByAuthority"],"revokers":["did:web:` + markHostAgain +
		`],"exercise":{"mode":"joint","quorum":2,"coGuardianCount":2},"constraints":{"noRemoval":true},"effective":{"from":"` +
		`],"exercise":{"mode":"joint","jointFor":[` + markPowers + `],"quorum":2,"coGuardianCount":2},"effective":{"from":"`

	// What only full credentials have; they travel online and rarely as a code.
	fulls1 = `"timeOfBirth":"placeOfBirth":{"status":"known","country":"` + markCountry + `","adminArea":"","locality":"","facilityType":"healthFacility","privateHome","otherInstitution","vessel","aircraft","facilityId":"` +
		`"filiation":"maritalPresumption","filiation":"acknowledgement","filiation":"judgment","filiation":"adoption","filiation":"parentalOrder","filiation":"birth","personRef":"` + markRef +
		`","names":[{"kind":"legal","script":"` + markWord + `","given":[""],"family":[""],"full":"","mrz":{"primary":"` + markCapitals + `","secondary":"` + markCapitals + `","source":"travelDocument"},"source":"holderPreferred"},"status":"unnamed"}` +
		`,{"kind":"former","script":"{"kind":"alias","script":"` + markWord + `","lang":"en","given":["` + `"],"mrz":{"primary":"` + markCapitals + `","secondary":"` + markCapitals + `","source":"issuerTransliterated"}}],"birthDate":{"value":"` + markDate +
		`","precision":"day","basis":"courtFinding","basis":"ageAssessment","basis":"presumed","basis":"informant","basis":"documentary"},"nationality":["` + markCountry +
		`"]}],"birthDate":{"value":"` + markDate + `","precision":"day","basis":"medicalRecord"},"registration":{"number":"` + markCapitals + `","authority":"` + markOrigin + `","office":"` + `","date":"` + markDate +
		`","mode":"timely","informant":"grandparent","informant":"sibling","informant":"healthFacility","informant":"police","informant":"institution","informant":"legalGuardian","informant":"father","informant":"mother"},"amendment":{"reason":"clericalCorrection",` +
		`"nameChange","parentAdded","parentRemoved","simpleAdoption","plenaryAdoption","sexMarker","dateDetermined","protectionIdentity","effective":"` + markDate + `","supersedes":"urn:uuid:` + markUUIDSeen + `","sealed":true},` +
		`"portrait":{"sha256":"` + markDigest + `","media":"image/jpeg","capturedAt":"` + markDate + `","recaptureBy":"` + markDate +
		`","delegates":["birthCredential":"urn:uuid:` + markUUIDSeen + `"},"authority":"` + markOrigin + `","reference":"` + markCapitals + `","decidedOn":"` + markDate +
		`"}],"credentialSchema":{"id":"https://w3id.org/kinpass/schemas/credential/birth` + schema1 + `"}],"credentialSchema":{"id":"https://w3id.org/kinpass/schemas/credential/guardianship` + schema1

	// Consents, witnessed by an issuer or signed by the grantor.
	consents1 = `{"alg":"EdDSA","cty":"vc","kid":"did:key:` + markKey + `#` + markKeyAgain + `","typ":"vc+jwt"}` + markHeaderEnd +
		`","TravelConsentCredential"],"issuer":"did:key:` + markKeyAgain + `","validFrom":"` + markTime + `","validUntil":"` + markTime +
		`","credentialSubject":{"id":"did:key:` + markKey + `","childRef":"` + markRefFirst + `","grantors":[{` +
		`","capacity":"guardian"},"capacity":"court"},"capacity":"stateGuardian","contact":"` +
		`"}],"mode":"alone","receiving":{"name":"","address":"","contact":"","document":{"type":"passport","value":"` +
		`"}],"mode":"withGroup","accompanying":[{"names":[{"kind":"legal","script":"` + `"}],"mode":"withThirdParty","accompanying":[{"names":` + name1 +
		`,"birthDate":{"value":"` + markDate + `","precision":"day","basis":"documentary"},"document":{"type":"passport","value":"` + markCapitals + `","issuer":"` + markCountry +
		`"},"key":"did:key:` + markKey + `","relation":"mother","father","sibling","teacher","coach","friendOfFamily","carrierStaff","other","relative","relation":"grandparent"}],"receiving":{"name":"` +
		`"}],"trip":{"departFrom":"` + markCountry + `","destinations":["` + markCountry + `","` + markCountry + `"],"transit":["` + markCountry + `"],"notBefore":"` + markDate +
		`","crossings":1,"purpose":"medical","purpose":"sport","purpose":"relocation","purpose":"other","purpose":"study","purpose":"family","carrierRef":"` + markCapitals +
		`"},"relocationAllowed":true,"medicalConsent":"none","medicalConsent":"full","medicalConsent":"emergency","assurance":{"level":"selfSigned"},"level":"notarised","level":"consular","level":"judicial","reference":"` + markCapitals +
		`"},"nonce":"` + markRef + `","grantedOn":"` +
		head1 + `TravelConsent` + issued1 + `childRef":"` + markRefFirst + `","grantors":[{"guardianshipCredential":"urn:uuid:` + markUUIDSeen + `","key":"did:key:` + markKey +
		`"},{"guardianshipCredential":"urn:uuid:` + markUUIDSeen + `","key":"did:key:` + markKey +
		`"}],"mode":"withOneGuardian","trip":{"departFrom":"` + markCountry + `","destinations":["` + markCountry + `"],"notBefore":"` + markDate + `","notAfter":"` + markDate + `","returnBy":"` + markDate +
		`","crossings":2,"purpose":"holiday"},"relocationAllowed":false,"assurance":{"level":"witnessed","witness":"did:web:` + markHostAgain + `"},"nonce":"` + markRef + `","grantedOn":"` + markDate + `"` +
		status1 + `consent` + schema1
)
