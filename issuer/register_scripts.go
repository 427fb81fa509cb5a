package issuer

import (
	"slices"
	"unicode"
)

// scripts maps the ISO 15924 codes of scripts that names can be written in to
// the Unicode scripts of their letters. Codes for what is no script of names
// (Zxxx unwritten, Zyyy common, Zsye emoji, Brai …) are absent: a name that
// says it is in no script could hide letters that imitate another's.
var scripts = map[string][]*unicode.RangeTable{
	"Adlm": {unicode.Adlam},
	"Aghb": {unicode.Caucasian_Albanian},
	"Ahom": {unicode.Ahom},
	"Arab": {unicode.Arabic},
	"Aran": {unicode.Arabic},
	"Armi": {unicode.Imperial_Aramaic},
	"Armn": {unicode.Armenian},
	"Avst": {unicode.Avestan},
	"Bali": {unicode.Balinese},
	"Bamu": {unicode.Bamum},
	"Bass": {unicode.Bassa_Vah},
	"Batk": {unicode.Batak},
	"Beng": {unicode.Bengali},
	"Bhks": {unicode.Bhaiksuki},
	"Bopo": {unicode.Bopomofo},
	"Brah": {unicode.Brahmi},
	"Bugi": {unicode.Buginese},
	"Buhd": {unicode.Buhid},
	"Cakm": {unicode.Chakma},
	"Cans": {unicode.Canadian_Aboriginal},
	"Cari": {unicode.Carian},
	"Cham": {unicode.Cham},
	"Cher": {unicode.Cherokee},
	"Chrs": {unicode.Chorasmian},
	"Copt": {unicode.Coptic},
	"Cpmn": {unicode.Cypro_Minoan},
	"Cprt": {unicode.Cypriot},
	"Cyrl": {unicode.Cyrillic},
	"Cyrs": {unicode.Cyrillic},
	"Deva": {unicode.Devanagari},
	"Diak": {unicode.Dives_Akuru},
	"Dogr": {unicode.Dogra},
	"Dsrt": {unicode.Deseret},
	"Elba": {unicode.Elbasan},
	"Elym": {unicode.Elymaic},
	"Ethi": {unicode.Ethiopic},
	"Geok": {unicode.Georgian},
	"Geor": {unicode.Georgian},
	"Glag": {unicode.Glagolitic},
	"Gong": {unicode.Gunjala_Gondi},
	"Gonm": {unicode.Masaram_Gondi},
	"Goth": {unicode.Gothic},
	"Gran": {unicode.Grantha},
	"Grek": {unicode.Greek},
	"Gujr": {unicode.Gujarati},
	"Guru": {unicode.Gurmukhi},
	"Hanb": {unicode.Han, unicode.Bopomofo},
	"Hang": {unicode.Hangul},
	"Hani": {unicode.Han},
	"Hano": {unicode.Hanunoo},
	"Hans": {unicode.Han, unicode.Bopomofo},
	"Hant": {unicode.Han, unicode.Bopomofo},
	"Hatr": {unicode.Hatran},
	"Hebr": {unicode.Hebrew},
	"Hira": {unicode.Hiragana},
	"Hmng": {unicode.Pahawh_Hmong},
	"Hmnp": {unicode.Nyiakeng_Puachue_Hmong},
	"Hrkt": {unicode.Hiragana, unicode.Katakana},
	"Hung": {unicode.Old_Hungarian},
	"Ital": {unicode.Old_Italic},
	"Jamo": {unicode.Hangul},
	"Java": {unicode.Javanese},
	"Jpan": {unicode.Han, unicode.Hiragana, unicode.Katakana},
	"Kali": {unicode.Kayah_Li},
	"Kana": {unicode.Katakana},
	"Kawi": {unicode.Kawi},
	"Khar": {unicode.Kharoshthi},
	"Khmr": {unicode.Khmer},
	"Khoj": {unicode.Khojki},
	"Kits": {unicode.Khitan_Small_Script},
	"Knda": {unicode.Kannada},
	"Kore": {unicode.Hangul, unicode.Han},
	"Kthi": {unicode.Kaithi},
	"Lana": {unicode.Tai_Tham},
	"Laoo": {unicode.Lao},
	"Latf": {unicode.Latin},
	"Latg": {unicode.Latin},
	"Latn": {unicode.Latin},
	"Lepc": {unicode.Lepcha},
	"Limb": {unicode.Limbu},
	"Lisu": {unicode.Lisu},
	"Lyci": {unicode.Lycian},
	"Lydi": {unicode.Lydian},
	"Mahj": {unicode.Mahajani},
	"Maka": {unicode.Makasar},
	"Mand": {unicode.Mandaic},
	"Mani": {unicode.Manichaean},
	"Marc": {unicode.Marchen},
	"Medf": {unicode.Medefaidrin},
	"Mend": {unicode.Mende_Kikakui},
	"Merc": {unicode.Meroitic_Cursive},
	"Mero": {unicode.Meroitic_Hieroglyphs},
	"Mlym": {unicode.Malayalam},
	"Modi": {unicode.Modi},
	"Mong": {unicode.Mongolian},
	"Mroo": {unicode.Mro},
	"Mtei": {unicode.Meetei_Mayek},
	"Mult": {unicode.Multani},
	"Mymr": {unicode.Myanmar},
	"Nagm": {unicode.Nag_Mundari},
	"Nand": {unicode.Nandinagari},
	"Narb": {unicode.Old_North_Arabian},
	"Nbat": {unicode.Nabataean},
	"Newa": {unicode.Newa},
	"Nkoo": {unicode.Nko},
	"Nshu": {unicode.Nushu},
	"Ogam": {unicode.Ogham},
	"Olck": {unicode.Ol_Chiki},
	"Orkh": {unicode.Old_Turkic},
	"Orya": {unicode.Oriya},
	"Osge": {unicode.Osage},
	"Osma": {unicode.Osmanya},
	"Ougr": {unicode.Old_Uyghur},
	"Palm": {unicode.Palmyrene},
	"Pauc": {unicode.Pau_Cin_Hau},
	"Perm": {unicode.Old_Permic},
	"Phag": {unicode.Phags_Pa},
	"Phli": {unicode.Inscriptional_Pahlavi},
	"Phlp": {unicode.Psalter_Pahlavi},
	"Phnx": {unicode.Phoenician},
	"Plrd": {unicode.Miao},
	"Prti": {unicode.Inscriptional_Parthian},
	"Rjng": {unicode.Rejang},
	"Rohg": {unicode.Hanifi_Rohingya},
	"Runr": {unicode.Runic},
	"Samr": {unicode.Samaritan},
	"Sarb": {unicode.Old_South_Arabian},
	"Saur": {unicode.Saurashtra},
	"Shaw": {unicode.Shavian},
	"Shrd": {unicode.Sharada},
	"Sidd": {unicode.Siddham},
	"Sind": {unicode.Khudawadi},
	"Sinh": {unicode.Sinhala},
	"Sogd": {unicode.Sogdian},
	"Sogo": {unicode.Old_Sogdian},
	"Sora": {unicode.Sora_Sompeng},
	"Soyo": {unicode.Soyombo},
	"Sund": {unicode.Sundanese},
	"Sylo": {unicode.Syloti_Nagri},
	"Syrc": {unicode.Syriac},
	"Syre": {unicode.Syriac},
	"Syrj": {unicode.Syriac},
	"Syrn": {unicode.Syriac},
	"Tagb": {unicode.Tagbanwa},
	"Takr": {unicode.Takri},
	"Tale": {unicode.Tai_Le},
	"Talu": {unicode.New_Tai_Lue},
	"Taml": {unicode.Tamil},
	"Tang": {unicode.Tangut},
	"Tavt": {unicode.Tai_Viet},
	"Telu": {unicode.Telugu},
	"Tfng": {unicode.Tifinagh},
	"Tglg": {unicode.Tagalog},
	"Thaa": {unicode.Thaana},
	"Thai": {unicode.Thai},
	"Tibt": {unicode.Tibetan},
	"Tirh": {unicode.Tirhuta},
	"Tnsa": {unicode.Tangsa},
	"Toto": {unicode.Toto},
	"Ugar": {unicode.Ugaritic},
	"Vaii": {unicode.Vai},
	"Vith": {unicode.Vithkuqi},
	"Wara": {unicode.Warang_Citi},
	"Wcho": {unicode.Wancho},
	"Xpeo": {unicode.Old_Persian},
	"Yezi": {unicode.Yezidi},
	"Yiii": {unicode.Yi},
	"Zanb": {unicode.Zanabazar_Square},
}

// commonScripts are tried first: a text of Han letters alone is in several.
var commonScripts = []string{"Latn", "Arab", "Cyrl", "Deva", "Beng", "Ethi", "Hani", "Jpan", "Hang", "Kore"}

// ScriptOf gives the ISO 15924 code of the script that a name is written in, ""
// where its letters are of several or there are none.
func ScriptOf(name string) string {
	of := func(code string) bool {
		letters := false
		for _, r := range name {
			if !unicode.IsLetter(r) {
				continue
			}
			letters = true
			if !inScript(r, scripts[code]) {
				return false
			}
		}
		return letters
	}
	for _, code := range commonScripts {
		if of(code) {
			return code
		}
	}
	var rest []string
	for code := range scripts {
		if of(code) {
			rest = append(rest, code)
		}
	}
	if len(rest) == 0 {
		return ""
	}
	return slices.Min(rest)
}
