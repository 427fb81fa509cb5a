package vc

// The credentialSubjects of Kinpass. Field names and values are those of the
// schemas in schemas/; members that a profile leaves out are absent there.

// Birth is who the child is (schema registration/birth, credential/birth and,
// with fewer members, credential/birth-border).
type Birth struct {
	ID              string         `json:"id,omitempty"`
	ChildRef        string         `json:"childRef"`
	RecordVersion   int            `json:"recordVersion"`
	Circumstance    string         `json:"circumstance"`
	Names           []Name         `json:"names"`
	BirthDate       UncertainDate  `json:"birthDate"`
	TimeOfBirth     string         `json:"timeOfBirth,omitempty"`
	Sex             int            `json:"sex"`
	PlaceOfBirth    Place          `json:"placeOfBirth"`
	MultipleBirth   *MultipleBirth `json:"multipleBirth,omitempty"`
	Parentage       []Parent       `json:"parentage"`
	Registration    Registration   `json:"registration"`
	Amendment       *Amendment     `json:"amendment,omitempty"`
	TravelDocuments []Identifier   `json:"travelDocuments,omitempty"`
	Portrait        *Portrait      `json:"portrait,omitempty"`
}

// Name is one name in one script. MRZ is written by the issuer; a verifier
// never transliterates.
type Name struct {
	Kind   string   `json:"kind"`
	Script string   `json:"script"`
	Lang   string   `json:"lang,omitempty"`
	Given  []string `json:"given,omitempty"`
	Family []string `json:"family,omitempty"`
	Full   string   `json:"full,omitempty"`
	MRZ    *MRZ     `json:"mrz,omitempty"`
	Status string   `json:"status,omitempty"`
}

// MRZ is a name in the characters of a machine-readable zone (ICAO Doc 9303-3,
// section 4.6): A to Z and "<".
type MRZ struct {
	Primary   string `json:"primary"`
	Secondary string `json:"secondary,omitempty"`
	Source    string `json:"source,omitempty"`
}

// UncertainDate is a date of birth as far as it is known.
type UncertainDate struct {
	Value     string `json:"value,omitempty"`
	Precision string `json:"precision"`
	Earliest  string `json:"earliest,omitempty"`
	Latest    string `json:"latest,omitempty"`
	Basis     string `json:"basis,omitempty"`
}

// Place is where a child was born or found. Country is an ISO 3166-1 alpha-3 or
// ICAO Doc 9303-3 code.
type Place struct {
	Status       string `json:"status,omitempty"`
	Country      string `json:"country,omitempty"`
	AdminArea    string `json:"adminArea,omitempty"`
	Locality     string `json:"locality,omitempty"`
	FacilityType string `json:"facilityType,omitempty"`
	FacilityID   string `json:"facilityId,omitempty"`
}

// MultipleBirth says that the child is one of several.
type MultipleBirth struct {
	Plurality int `json:"plurality"`
	Order     int `json:"order,omitempty"`
}

// Parent is one entry of parentage.
type Parent struct {
	Role        string         `json:"role"`
	Status      string         `json:"status"`
	Filiation   string         `json:"filiation,omitempty"`
	PersonRef   string         `json:"personRef,omitempty"`
	Names       []Name         `json:"names,omitempty"`
	BirthDate   *UncertainDate `json:"birthDate,omitempty"`
	Nationality []string       `json:"nationality,omitempty"`
}

// Registration is the act in the civil register.
type Registration struct {
	Number    string `json:"number"`
	Authority string `json:"authority,omitempty"`
	Office    string `json:"office,omitempty"`
	Date      string `json:"date"`
	Mode      string `json:"mode"`
	Informant string `json:"informant,omitempty"`
}

// Amendment says why a record changed. Sealed amendments never point to what
// was before.
type Amendment struct {
	Reason     string `json:"reason"`
	Effective  string `json:"effective"`
	Supersedes string `json:"supersedes,omitempty"`
	Sealed     bool   `json:"sealed,omitempty"`
}

// Identifier is a number on a document.
type Identifier struct {
	Type   string `json:"type"`
	Value  string `json:"value"`
	Issuer string `json:"issuer,omitempty"`
}

// Portrait binds a photograph by its hash; the photograph itself is on the
// document, never here.
type Portrait struct {
	SHA256      string `json:"sha256"`
	Media       string `json:"media,omitempty"`
	CapturedAt  string `json:"capturedAt,omitempty"`
	RecaptureBy string `json:"recaptureBy"`
}

// Guardianship is who may decide for the child (schema
// registration/guardianship, credential/guardianship and
// credential/guardianship-border). ID is the guardian's holder key as did:key;
// it is absent on paper.
type Guardianship struct {
	ID          string       `json:"id,omitempty"`
	Guardian    Guardian     `json:"guardian"`
	Ward        Ward         `json:"ward"`
	Role        string       `json:"role"`
	LegalBasis  LegalBasis   `json:"legalBasis"`
	Powers      []string     `json:"powers"`
	Exercise    Exercise     `json:"exercise"`
	Constraints *Constraints `json:"constraints,omitempty"`
	Effective   Effective    `json:"effective"`
	Termination Termination  `json:"termination"`
}

// Guardian is the person, institution or office that holds the mandate.
type Guardian struct {
	Kind      string         `json:"kind"`
	HolderKey string         `json:"holderKey,omitempty"`
	PersonRef string         `json:"personRef,omitempty"`
	Names     []Name         `json:"names,omitempty"`
	BirthDate *UncertainDate `json:"birthDate,omitempty"`
	Documents []Identifier   `json:"documents,omitempty"`
	Delegates []string       `json:"delegates,omitempty"`
}

// Ward is the child, by the reference that joins the credentials.
type Ward struct {
	ChildRef        string `json:"childRef"`
	BirthCredential string `json:"birthCredential,omitempty"`
}

// LegalBasis is why the guardian may decide (Hague 1996, Art. 40 where it
// applies).
type LegalBasis struct {
	Type            string `json:"type"`
	Law             string `json:"law"`
	Hague1996Art40  *bool  `json:"hague1996Art40,omitempty"`
	Hague1993Art23  *bool  `json:"hague1993Art23,omitempty"`
	Authority       string `json:"authority,omitempty"`
	Reference       string `json:"reference,omitempty"`
	DecidedOn       string `json:"decidedOn,omitempty"`
	Finality        string `json:"finality,omitempty"`
	CountersignedBy string `json:"countersignedBy,omitempty"`
}

// Exercise says who must act together. An absent quorum is CoGuardianCount; an
// absent CoGuardianCount in a joint mandate is 2.
type Exercise struct {
	Mode            string   `json:"mode"`
	JointFor        []string `json:"jointFor,omitempty"`
	Quorum          int      `json:"quorum,omitempty"`
	CoGuardianCount int      `json:"coGuardianCount,omitempty"`
}

// Constraints bind the guardian at a border.
type Constraints struct {
	AllowedCountries []string `json:"allowedCountries,omitempty"`
	DeniedCountries  []string `json:"deniedCountries,omitempty"`
	MaxAbsenceDays   int      `json:"maxAbsenceDays,omitempty"`
	Supervised       bool     `json:"supervised,omitempty"`
	NoRemoval        bool     `json:"noRemoval,omitempty"`
	Conditions       string   `json:"conditions,omitempty"`
}

// Effective holds the legal dates of the mandate, which are not the validity
// of the credential.
type Effective struct {
	From     string `json:"from"`
	Until    string `json:"until,omitempty"`
	ReviewBy string `json:"reviewBy,omitempty"`
}

// Termination says when the mandate ends and who may end it.
type Termination struct {
	MajorityAge int      `json:"majorityAge"`
	MajorityLaw string   `json:"majorityLaw"`
	Events      []string `json:"events,omitempty"`
	Revokers    []string `json:"revokers,omitempty"`
}

// TravelConsent is the agreement of guardians to a journey (schema
// registration/consent). Each grantor signs a credential of their own with this
// same subject, or a witness whose role is on the trust list signs one for all.
type TravelConsent struct {
	ChildRef     string      `json:"childRef"`
	Grantors     []Grantor   `json:"grantors"`
	Mode         string      `json:"mode"` // Mode… constants
	Accompanying []Companion `json:"accompanying,omitempty"`
	Receiving    *Receiver   `json:"receiving,omitempty"`
	Trip         Trip        `json:"trip"`
	// RelocationAllowed: the child may settle abroad. Never taken for granted.
	RelocationAllowed bool      `json:"relocationAllowed,omitempty"`
	MedicalConsent    string    `json:"medicalConsent,omitempty"` // none, emergency or full
	Assurance         Assurance `json:"assurance"`
	Nonce             string    `json:"nonce"`     // makes each journey's consent its own
	GrantedOn         string    `json:"grantedOn"` // YYYY-MM-DD, when consent was given
}

// Modes of travel in a consent.
const (
	ModeAlone       = "alone"
	ModeOneGuardian = "withOneGuardian"
	ModeThirdParty  = "withThirdParty"
	ModeGroup       = "withGroup"
)

// Levels of assurance, from least to most. SelfSigned is all that a grantor's
// own signature gives; the others come with the role of the witness.
const (
	LevelSelfSigned = "selfSigned"
	LevelWitnessed  = "witnessed"
	LevelNotarised  = "notarised"
	LevelConsular   = "consular"
	LevelJudicial   = "judicial"
)

// Grantor is one guardian who agrees: the id of a guardianship credential and
// the holder key (did:key) that it is bound to.
type Grantor struct {
	Guardianship string `json:"guardianshipCredential"`
	Key          string `json:"key"`
	Capacity     string `json:"capacity,omitempty"` // guardian (when absent), court or stateGuardian
	Contact      string `json:"contact,omitempty"`
}

// Companion is an adult whom the grantors let travel with the child. Key is
// their holder key (did:key), absent for one who travels on paper.
type Companion struct {
	Names     []Name         `json:"names"`
	BirthDate *UncertainDate `json:"birthDate,omitempty"`
	Document  *Identifier    `json:"document,omitempty"`
	Key       string         `json:"key,omitempty"`
	Relation  string         `json:"relation,omitempty"`
}

// Receiver is who takes a child in at the end of the journey.
type Receiver struct {
	Name     string      `json:"name,omitempty"`
	Address  string      `json:"address,omitempty"`
	Contact  string      `json:"contact,omitempty"`
	Document *Identifier `json:"document,omitempty"`
}

// Trip is the journey that was agreed to: countries (ISO 3166-1 alpha-3),
// dates (YYYY-MM-DD) and how many times a border may be crossed (2 when
// absent). Without NotAfter the policy's default term counts from GrantedOn.
type Trip struct {
	DepartFrom   string   `json:"departFrom"`
	Destinations []string `json:"destinations"`
	Transit      []string `json:"transit,omitempty"`
	NotBefore    string   `json:"notBefore"`
	NotAfter     string   `json:"notAfter,omitempty"`
	ReturnBy     string   `json:"returnBy,omitempty"`
	Crossings    int      `json:"crossings,omitempty"`
	Purpose      string   `json:"purpose,omitempty"`
	CarrierRef   string   `json:"carrierRef,omitempty"`
}

// Assurance is what the consent claims of how it was given; a verifier derives
// the level itself from who signed. Reference is the deed that was witnessed.
type Assurance struct {
	Level     string `json:"level"`
	Witness   string `json:"witness,omitempty"`
	Reference string `json:"reference,omitempty"`
}
