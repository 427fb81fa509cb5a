package rdf

import (
	"fmt"
	"strings"
)

// Documents that the compiled path must take: what Kinpass itself signs, and
// what others sign in the same way. $V2, $KP and so on stand for the URLs of
// contexts.
var ownDocuments = map[string]string{
	"birth, every member":            birthDocument,
	"birth, border":                  borderDocument,
	"guardianship, every member":     guardianDocument,
	"guardianship, border":           guardianBorderDocument,
	"travel consent":                 consentDocument,
	"status list":                    statusListDocument,
	"birth with its proof":           withProof(birthDocument, proofMembers),
	"proof configuration":            `{"@context":["$V2","$KP"],` + proofMembers + `}`,
	"proof configuration, purpose":   `{"@context":["$V2","$KP"],` + strings.Replace(proofMembers, "assertionMethod", "authentication", 1) + `,"challenge":"c-1","domain":"https://v.example","expires":"2027-01-01T00:00:00Z","previousProof":["urn:uuid:1","urn:uuid:2"],"id":"urn:uuid:3"}`,
	"presentation, no credential":    `{"@context":["$V2"],"type":"VerifiablePresentation","holder":"did:key:z6MkX"}`,
	"presentation, three enveloped":  envelopedPresentation,
	"presentation, three with proof": presentationDocument,
	"presentation of twins":          twinsPresentation,
	"presentation with its proof":    withProof(presentationDocument, strings.Replace(proofMembers, "assertionMethod", "authentication", 1)),
	"an enveloped credential":        `{"@context":"$V2","id":"data:application/vc+jwt,eyJhbGciOiJFZERTQSJ9.eyJhIjoxfQ.c2ln","type":"EnvelopedVerifiableCredential"}`,
	"plain credential":               `{"@context":["$V2"],"type":["VerifiableCredential"],"issuer":{"id":"did:key:z6MkX","name":"Office"},"name":"A","description":"B","validFrom":"2026-01-01T00:00:00Z","credentialSubject":[{"id":"did:key:z6MkY","name":"C"},{"name":"D"}]}`,
	"examples vocabulary":            `{"@context":["$V2","$EX"],"id":"urn:uuid:58172aac-d8ba-11ed-83dd-0b3aef56cc33","type":["VerifiableCredential","AlumniCredential"],"name":"Alumni Credential","issuer":"https://vc.example/issuers/5678","validFrom":"2023-01-01T00:00:00Z","credentialSubject":{"id":"did:example:abcdefgh","alumniOf":"The School of Examples"}}`,
	"data model 1.1":                 `{"@context":["$V1","$DI"],"id":"http://vc.example/1","type":["VerifiableCredential"],"issuer":"did:key:z6MkX","issuanceDate":"2020-01-01T00:00:00Z","credentialSubject":{"id":"did:key:z6MkY"}}`,
	"proof configuration, 1.1":       `{"@context":["$V1","$DI"],` + proofMembers + `}`,
	"Ed25519Signature2020":           `{"@context":["$V1","$ED"],"type":"Ed25519Signature2020","created":"2026-11-20T10:00:00Z","verificationMethod":"did:key:z6MkX#z6MkX","proofPurpose":"assertionMethod"}`,
}

const proofMembers = `"type":"DataIntegrityProof","cryptosuite":"eddsa-rdfc-2022","created":"2026-11-20T10:00:00Z","verificationMethod":"did:web:registry.npl.example#key-1","proofPurpose":"assertionMethod"`

const credentialEnd = `"credentialStatus":[{"type":"BitstringStatusListEntry","statusPurpose":"revocation","statusListIndex":"94567","statusListCredential":"https://registry.npl.example/status/revocation/3"},
  {"type":"BitstringStatusListEntry","statusPurpose":"suspension","statusListIndex":"94567","statusListCredential":"https://registry.npl.example/status/suspension/3"}],
 "credentialSchema":{"id":"https://w3id.org/kinpass/schemas/credential/birth/1.json","type":"JsonSchema"}}`

const credentialStart = `{"@context":["$V2","$KP"],"id":"urn:uuid:0e8b5a4e-4d63-4b25-9c1f-0a6d8a3f2b11","type":["VerifiableCredential","%s"],"issuer":"did:web:registry.npl.example","validFrom":"2026-11-20T10:00:00Z","validUntil":"2027-11-20T10:00:00Z",`

var (
	birthDocument = fmt.Sprintf(credentialStart, "BirthCredential") + `"credentialSubject":{"childRef":"jWoSldc3ms1i4ycXe2mjtQ","recordVersion":1,"circumstance":"ordinary",
 "names":[{"kind":"legal","script":"Latn","lang":"ne","given":["Kavya","Maya"],"family":["Gurung"],"mrz":{"primary":"GURUNG","secondary":"KAVYA<MAYA","source":"issuer"},"status":"inUse"},
  {"kind":"legal","script":"Deva","full":"काव्या \"माया\"\tगुरुङ\\"}],
 "birthDate":{"value":"2013-04-11","precision":"range","earliest":"2013-04-10","latest":"2013-04-12","basis":"medicalRecord"},"timeOfBirth":"04:05","sex":2,
 "placeOfBirth":{"status":"known","country":"NPL","adminArea":"Bagmati","locality":"Patan","facilityType":"hospital","facilityId":"F-1"},
 "multipleBirth":{"plurality":2,"order":1},
 "parentage":[{"role":"mother","status":"known","filiation":"birth","personRef":"p-1","names":[{"kind":"legal","script":"Latn","given":["Diya"],"family":["Gurung"]}],"birthDate":{"value":"1985","precision":"year"},"nationality":["NPL","IND"]},
  {"role":"father","status":"known","names":[{"kind":"legal","script":"Latn","given":["Aarav"],"family":["Gurung"]}],"nationality":["NPL"]}],
 "registration":{"number":"NPL-2013-043227","authority":"https://registry.npl.example","office":"Patan 3","date":"2013-06-05","mode":"timely","informant":"mother"},
 "amendment":{"reason":"correction","effective":"2020-01-01","supersedes":"urn:uuid:7c3d2e10-0000-4000-8000-000000000001","sealed":true},
 "travelDocuments":[{"type":"passport","value":"P1234567","issuer":"NPL"},{"type":"laissezPasser","value":"L-1"}],
 "portrait":{"sha256":"47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU","media":"image/jpeg","capturedAt":"2026-01-01","recaptureBy":"2028-01-01"}},
 ` + credentialEnd

	borderDocument = fmt.Sprintf(credentialStart, "BirthCredential") + `"credentialSubject":{"childRef":"jWoSldc3ms1i4ycXe2mjtQ","recordVersion":1,"circumstance":"foundling",
 "names":[{"kind":"legal","script":"Latn","mrz":{"primary":"GURUNG","secondary":"KAVYA"}}],"birthDate":{"precision":"unknown"},"sex":0,"placeOfBirth":{},"parentage":[],
 "registration":{"number":"1","date":"2013-06-05","mode":"timely"}},` + credentialEnd

	guardianDocument = fmt.Sprintf(credentialStart, "GuardianshipCredential") + `"credentialSubject":{"id":"did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK",
 "guardian":{"kind":"naturalPerson","holderKey":"k","personRef":"p-1","names":[{"kind":"legal","script":"Latn","given":["Diya"],"family":["Gurung"]}],"birthDate":{"value":"1985","precision":"year"},
  "documents":[{"type":"passport","value":"P7654321","issuer":"NPL"},{"type":"NID","value":"11-22"}],"delegates":["a","b"]},
 "ward":{"childRef":"jWoSldc3ms1i4ycXe2mjtQ","birthCredential":"urn:uuid:0e8b5a4e-4d63-4b25-9c1f-0a6d8a3f2b11"},"role":"mother",
 "legalBasis":{"type":"courtOrder","law":"NPL","hague1996Art40":false,"hague1993Art23":true,"authority":"Court of Patan","reference":"C-1/2020","decidedOn":"2020-02-02","finality":"final","countersignedBy":"did:web:state.example"},
 "powers":["travelAccompany","travelConsent","healthRoutine"],"exercise":{"mode":"joint","jointFor":["travelConsent"],"quorum":2,"coGuardianCount":2},
 "constraints":{"allowedCountries":["NPL","IND"],"deniedCountries":["UTO"],"maxAbsenceDays":30,"supervised":false,"noRemoval":true,"conditions":"none"},
 "effective":{"from":"2013-04-11","until":"2031-04-11","reviewBy":"2027-01-01"},"termination":{"majorityAge":18,"majorityLaw":"NPL","events":["death","adoption"],"revokers":["court"]}},
 ` + credentialEnd

	guardianBorderDocument = fmt.Sprintf(credentialStart, "GuardianshipCredential") + `"credentialSubject":{"id":"did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK",
 "guardian":{"kind":"naturalPerson","names":[{"kind":"legal","script":"Latn","mrz":{"primary":"GURUNG","secondary":"DIYA"}}]},"ward":{"childRef":"jWoSldc3ms1i4ycXe2mjtQ"},"role":"mother",
 "legalBasis":{"type":"parentalResponsibilityByBirth","law":"NPL"},"powers":["travelAccompany"],"exercise":{"mode":"sole"},"effective":{"from":"2013-04-11"},"termination":{"majorityAge":18,"majorityLaw":"NPL"}},
 ` + credentialEnd

	consentDocument = fmt.Sprintf(credentialStart, "TravelConsentCredential") + `"credentialSubject":{"childRef":"jWoSldc3ms1i4ycXe2mjtQ",
 "grantors":[{"guardianshipCredential":"urn:uuid:1","key":"k1","capacity":"mother","contact":"+977"},{"guardianshipCredential":"urn:uuid:2","key":"k2","capacity":"father"}],
 "accompanying":[{"names":[{"kind":"legal","script":"Latn","full":"Asha Rai"}],"relation":"aunt","document":{"type":"passport","value":"P1","issuer":"NPL"}}],
 "receiving":{"address":"1 Street","contact":"x"},"trip":{"departFrom":"NPL","destinations":["IND","LKA"],"transit":[],"notBefore":"2027-01-01","notAfter":"2027-01-10","returnBy":"2027-01-12","crossings":2,"purpose":"visit","carrierRef":"RA-1"},
 "relocationAllowed":false,"medicalConsent":"emergency","assurance":{"level":"high","witness":"w","grantedOn":"2026-12-01"},"nonce":"n"},` + credentialEnd

	statusListDocument = `{"@context":["$V2"],"id":"https://registry.npl.example/status/revocation/3","type":["VerifiableCredential","BitstringStatusListCredential"],"issuer":"did:web:registry.npl.example","validFrom":"2026-11-20T10:00:00Z","validUntil":"2026-11-21T10:00:00Z",
 "credentialSubject":{"id":"https://registry.npl.example/status/revocation/3#list","type":"BitstringStatusList","statusPurpose":"revocation","encodedList":"uH4sIAAAAAAAAA-3BMQEAAADCoPVPbQsvoAAAAAAAAAAAAAAAAP4GcwM92tQwAAA","ttl":300000}}`

	envelopedPresentation = `{"@context":["$V2"],"type":["VerifiablePresentation"],"holder":{"id":"did:key:z6MkX"},"verifiableCredential":[
 {"@context":"$V2","id":"data:application/vc+jwt,eyJhbGciOiJFZERTQSJ9.eyJhIjoxfQ.c2ln","type":"EnvelopedVerifiableCredential"},
 {"@context":["$V2"],"id":"data:application/vc+jwt,eyJhbGciOiJFZERTQSJ9.eyJhIjoyfQ.c2ln","type":["EnvelopedVerifiableCredential"]},
 {"@context":"$V2","id":"data:application/vc+jwt;x=y,eyJhbGciOiJFZERTQSJ9.eyJhIjozfQ.c2ln","type":"EnvelopedVerifiableCredential"}]}`

	presentationDocument = `{"@context":["$V2"],"id":"urn:uuid:9","type":["VerifiablePresentation"],"holder":"did:key:z6MkX","verifiableCredential":[` +
		withProof(birthDocument, proofMembers+`,"proofValue":"z58DAdFfa9SkqZMVPxAQpic7ndSayn1PzZs6ZjWp1CktyGesjuTSwRdoWhAfGFCF5bppETSTojQCrfFPP2oumHKtz"`) + `,` +
		withProof(guardianDocument, proofMembers+`,"proofValue":"z1"`) + `,` + withProof(statusListDocument, proofMembers+`,"proofValue":"z2"`) + `]}`
)

// twinsPresentation has nodes that are alike in two of its graphs: same mother,
// same place, same order of a court.
var twinsPresentation = func() string {
	twin := strings.NewReplacer("jWoSldc3ms1i4ycXe2mjtQ", "AAoSldc3ms1i4ycXe2mjtQ", "0e8b5a4e", "1e8b5a4e", "94567", "94568", "Kavya", "Priya")
	second := strings.NewReplacer("0e8b5a4e", "2e8b5a4e", "94567", "94569")
	proof := proofMembers + `,"proofValue":"z1"`
	credentials := []string{withProof(birthDocument, proof), withProof(guardianDocument, proof)}
	credentials = append(credentials, twin.Replace(credentials[0]), second.Replace(twin.Replace(credentials[1])))
	return `{"@context":["$V2"],"type":["VerifiablePresentation"],"holder":"did:key:z6MkX","verifiableCredential":[` + strings.Join(credentials, ",") + `]}`
}()

func withProof(doc, members string) string {
	return strings.TrimSuffix(doc, "}") + `,"proof":{` + members + `}}`
}

// sample puts the URLs of contexts into a sample.
func sample(doc string) []byte {
	return []byte(strings.NewReplacer("$V2", urlCredentialsV2, "$V1", urlCredentialsV1, "$KP", urlKinpass, "$EX", urlExamplesV2,
		"$DI", urlDataIntegrityV2, "$ED", urlEd25519).Replace(doc))
}

// independent holds the SHA-256 of each document's canonical N-Quads as jsonld.js
// 9.0.0 gives them (canonize, RDFC-1.0, safe mode).
var independent = map[string]string{
	"Ed25519Signature2020":           "294ae21a50cae3773bb7ff202b31f3df3b387444e78aee2129b1abee675a6f92",
	"an enveloped credential":        "d8948d3234838357010858ec2279df28ddb6a64ca79061858c28d5729dc2decc",
	"birth with its proof":           "9cea2e9053aef7dd7c440a79cd61c9bc79f51e00249bcd2ac84dbc3a6dff30ec",
	"birth, border":                  "84da0268c291be9507f3caf5987bdb47078db621ec7cfa3778e19ef41e8dda0f",
	"birth, every member":            "8ec142cfed3b8188cf0ade899b4772337c23b27f18dd9a219215ee3f4060139a",
	"data model 1.1":                 "19e4f6634e83e4826caf97ed8bd7e43986af456cf4c24b43ae0bc7d3c59725f5",
	"examples vocabulary":            "d9c25712f6dec73c7a82a4670479cdc9ecec3b0381a33ec16583f6f33baabd48",
	"guardianship, border":           "06d45aee344cc17cdc1e0d664ba2cbc45d38450ec70ee907d341d418f3ac64d7",
	"guardianship, every member":     "5938ee4f0487a25f7380e93dc80337ccaa729ba2d7cd05f4ba2542ac781e6dd3",
	"plain credential":               "00e4e70fbd29f049c581e4a0b0312796514685facf321a1f8c20d55479c3731a",
	"presentation of twins":          "f2c3682e66434c8713e80db60f9312b8d3f93712e823a562b2199f1aac85b17c",
	"presentation with its proof":    "2be57d6a574d9e57ae57ac401a7834f75145d5054256525cff5d4555bd455415",
	"presentation, no credential":    "74809e4dc1c6d718c8b2bef1b1d58cc67893dc4007422118d48cc2b8844ad864",
	"presentation, three enveloped":  "935b07a8e78fa7c556806baf46cc83ce499304d69e622d192214ca47dd4e79ac",
	"presentation, three with proof": "72f46d09c08465ea8f701e9d5487fb632bb4d59977828c735869575bb442af17",
	"proof configuration":            "c8af68f7f87450f4ace9515ce856002a8848737f087adf8e4786828e026497b4",
	"proof configuration, 1.1":       "c8af68f7f87450f4ace9515ce856002a8848737f087adf8e4786828e026497b4",
	"proof configuration, purpose":   "c82f9623a839a7bc6403ee7a5cd7590d5039875f435f91c8c9616aefcb468305",
	"status list":                    "b42153a01c4a22ca34ebf3d49a0690dbdb4ea5076ee76d1a3c13cbe9ad9c373b",
	"travel consent":                 "c7c0ffe597f28ceda5663a1dcc6cb8639191866645fd8940f7e5fec3f7462465",
}
