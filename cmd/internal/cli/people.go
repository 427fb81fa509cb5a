package cli

import (
	"context"
	"io"
	"slices"

	"github.com/kinpass/kinpass/api"
	"github.com/kinpass/kinpass/internal/account"
	"github.com/kinpass/kinpass/internal/vc"
	"github.com/kinpass/kinpass/issuer"
	"github.com/kinpass/kinpass/wallet"
)

// neighbour is somebody of the demonstration, with the service that they use.
type neighbour struct {
	account.Person
	at   string
	text string // what they do, as the message demo.TEXT says it
}

// townspeople are those who are there in every demonstration. The wallets of the
// guardians are those of API tokens (moveIn).
var townspeople = []neighbour{
	lives(issuerRole, "registrar", "rosa", "Rosa Amoah", issuer.RoleRegistrar),
	lives(issuerRole, "colleague", "samuel", "Samuel Owusu", issuer.RoleRegistrar),
	lives(issuerRole, "court", "naa", "Naa Quaye", issuer.RoleCourt),
	lives(issuerRole, "protection", "patience", "Patience Addo", issuer.RoleProtection),
	lives(issuerRole, "notary", "nii", "Nii Lamptey", issuer.RoleNotary),
	lives(issuerRole, "administrator", "ada", "Ada Boateng", account.RoleAdministrator),
	lives(walletRole, "mother", "ama", "Ama Mensah", wallet.RoleGuardian),
	lives(walletRole, "father", "kofi", "Kofi Mensah", wallet.RoleGuardian),
	lives(walletRole, "aunt", "comfort", "Comfort Mensah", wallet.RoleGuardian),
	lives(verifierRole, "officer", "omar", "Omar Tetteh", "officer"),
	lives(verifierRole, "supervisor", "sena", "Sena Agbeko", "supervisor"),
	lives(verifierRole, "auditor", "yaa", "Yaa Darko", "auditor"),
	lives(verifierRole, "administrator", "abena", "Abena Osei", account.RoleAdministrator),
}

// lives writes somebody. A guardian's account has no name.
func lives(service, text, key, name, role string) neighbour {
	n := neighbour{account.Person{Key: key, Name: name, Guest: account.Guest{Role: role, Name: name}}, service, text}
	if role == account.RoleGuardian {
		n.Guest.Name = ""
	}
	return n
}

// moveIn gives the guardians the wallets of their tokens.
func (d *demo) moveIn(ctx context.Context) error {
	for key, secret := range map[string]string{"ama": d.tokens.Guardian, "kofi": d.tokens.Father, "comfort": d.tokens.Aunt} {
		t, err := d.wallet.db.TokenBySecret(ctx, secret, now())
		if err != nil {
			return err
		}
		d.mu.Lock()
		for i := range d.people {
			if d.people[i].Key == key {
				d.people[i].Guest.Token = t.ID
			}
		}
		d.mu.Unlock()
	}
	return nil
}

// development is the sign-in of this demonstration at one of its services.
func (d *demo) development(service string) *account.Development {
	return &account.Development{Secret: d.secret, Start: d.start, People: func() []account.Person {
		var out []account.Person
		for _, n := range d.everybody() {
			if n.at == service {
				out = append(out, n.Person)
			}
		}
		return out
	}}
}

// everybody gives the people that there are now.
func (d *demo) everybody() []neighbour {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.people)
}

// settle gives Ama Mensah two children, whose papers her wallet takes: for one
// she decides alone, for the other together with Kofi Mensah, whose wallet has
// its papers too. Where she has children it changes nothing.
func (d *demo) settle(ctx context.Context) error {
	p := d.player(io.Discard)
	if _, err := newestChild(ctx, p.guardian); err == nil {
		return nil
	}
	ama := &adult{Client: p.guardian, name: "Ama"}
	kofi := &adult{Client: &api.Client{Base: d.wallet.base, Token: d.tokens.Father}, name: "Kofi"}
	for _, child := range []struct {
		name    string
		sex     int
		parents []mandate
	}{
		{"Esi", 2, []mandate{{who: ama, role: "mother", change: func(g *vc.Guardianship) { g.Exercise = vc.Exercise{Mode: "sole"} }}}},
		{"Kwame", 1, []mandate{{who: ama, role: "mother"}, {who: kofi, role: "father"}}},
	} {
		b, g := people("GHA", now().UTC())
		b.Names, b.Sex = latin(child.name, "Mensah"), child.sex
		b.Parentage = []vc.Parent{{Role: "mother", Status: "known", Names: latin("Ama", "Mensah")}, {Role: "father", Status: "undeclared"}}
		if len(child.parents) == 2 {
			b.Parentage[1] = vc.Parent{Role: "father", Status: "known", Names: latin("Kofi", "Mensah")}
		}
		if err := p.raise(ctx, b, g, child.parents); err != nil {
			return err
		}
	}
	return p.officer.Do(ctx, "POST", "/verifier/bundles", nil, nil)
}
