package check

import (
	"strconv"
	"time"

	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/internal/vc"
)

// ErrInput: what was sent to be decided is not what the API describes.
var ErrInput = fault.New(fault.Invalid, "body-invalid", "the request's body is not what the API describes")

// Bounds of an input: names in bytes, and how many documents.
const (
	maxName      = 128
	maxDocuments = 8
)

// Input is what an officer sees, asks and types, as it is written in JSON: in
// the body of POST /checks, and between a page and the check that it carries.
type Input struct {
	Confirm              []string `json:"confirm"`
	Deny                 []string `json:"deny"`
	AdultDocuments       []string `json:"adultDocuments"`
	Exit                 string   `json:"exit"`
	Entry                string   `json:"entry"`
	Direction            string   `json:"direction"`
	Date                 string   `json:"date"`
	ReturnBy             string   `json:"returnBy"`
	Company              string   `json:"company"`
	ChildNationality     string   `json:"childNationality"`
	Residence            string   `json:"residence"`
	ResidenceProof       string   `json:"residenceProof"`
	CompanionNationality string   `json:"companionNationality"`
	CompanionResidence   string   `json:"companionResidence"`
	Session              string   `json:"session"`
	Post                 string   `json:"post"`
	Challenge            string   `json:"challenge"`
	// Online has the lists of the issuers asked for as they stand now.
	Online bool `json:"online"`

	Proofs []LogProof `json:"proofs"`
}

// Facts turns the input into what the decision takes. hints say what to look at
// in documents that cannot be read; the decision says that they cannot. The
// only error is ErrInput; what Check refuses is still to come.
func (in *Input) Facts() (f Facts, hints []fault.Field, err error) {
	f = Facts{Confirm: in.Confirm, Deny: in.Deny, Exit: in.Exit, Entry: in.Entry, Direction: in.Direction, Company: in.Company,
		ChildNationality: in.ChildNationality, Residence: in.Residence, CompanionNationality: in.CompanionNationality, CompanionResidence: in.CompanionResidence,
		Session: in.Session, Post: in.Post, Challenge: in.Challenge, Proofs: in.Proofs, Online: in.Online}
	for _, d := range []struct {
		name, text string
		to         *vc.Date
	}{{"date", in.Date, &f.Date}, {"returnBy", in.ReturnBy, &f.ReturnBy}, {"residenceProof", in.ResidenceProof, &f.ResidenceProof}} {
		if d.text == "" {
			continue
		}
		if *d.to, err = vc.ParseDate(d.text); err != nil {
			return Facts{}, nil, ErrInput.WithFields(fault.Field{Path: "/" + d.name, Rule: "is YYYY-MM-DD"})
		}
	}
	if len(f.Session) > maxName || len(f.Challenge) > maxName || len(f.Post) > maxName || len(in.AdultDocuments) > maxDocuments {
		return Facts{}, nil, ErrInput
	}
	for i, m := range in.AdultDocuments {
		if len(m) > maxZone {
			return Facts{}, nil, ErrInput.WithFields(fault.Field{Path: "/adultDocuments", Rule: "is at most 1024 bytes each"})
		}
		zone, hint := Zone(m)
		if hint != "" {
			hints = append(hints, fault.Field{Path: "/adultDocuments/" + strconv.Itoa(i), Rule: hint})
		}
		f.AdultDocuments = append(f.AdultDocuments, zone)
	}
	return f, hints, nil
}

// Result is a decision with the name of its record. A check that goes on (the
// officer compared the portrait) repeats Session, so that the presentation does
// not count as used twice.
type Result struct {
	ID      string    `json:"id"`
	At      time.Time `json:"at"`
	Session string    `json:"session"`
	// Hints say what to look at in the officer's input, by its place. They
	// repeat none of it.
	Hints []fault.Field `json:"hints,omitempty"`
	Decision
}

// Group is a decision for each child of those who travel together.
type Group struct {
	Session   string   `json:"session"`
	Decisions []Result `json:"decisions"`
}
