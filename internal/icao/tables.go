package icao

// Facts of ICAO Doc 9303-3 (8th edition): section 6, transliteration, the
// recommended value where the standard allows several, and section 5, codes of
// States and organisations. Input letters are upper case and NFC.

// latin is section 6.A.
var latin = map[rune]string{
	'À': "A", 'Á': "A", 'Â': "A", 'Ã': "A", 'Ä': "AE", 'Å': "AA", 'Æ': "AE", 'Ç': "C",
	'È': "E", 'É': "E", 'Ê': "E", 'Ë': "E", 'Ì': "I", 'Í': "I", 'Î': "I", 'Ï': "I",
	'Ð': "D", 'Ñ': "N", 'Ò': "O", 'Ó': "O", 'Ô': "O", 'Õ': "O", 'Ö': "OE", 'Ø': "OE",
	'Ù': "U", 'Ú': "U", 'Û': "U", 'Ü': "UE", 'Ý': "Y", 'Þ': "TH", 'ß': "SS", 'Ā': "A",
	'Ă': "A", 'Ą': "A", 'Ć': "C", 'Ĉ': "C", 'Ċ': "C", 'Č': "C", 'Ď': "D", 'Đ': "D",
	'Ē': "E", 'Ĕ': "E", 'Ė': "E", 'Ę': "E", 'Ě': "E", 'Ĝ': "G", 'Ğ': "G", 'Ġ': "G",
	'Ģ': "G", 'Ĥ': "H", 'Ħ': "H", 'Ĩ': "I", 'Ī': "I", 'Ĭ': "I", 'Į': "I", 'İ': "I",
	'ı': "I", 'Ĳ': "IJ", 'Ĵ': "J", 'Ķ': "K", 'Ĺ': "L", 'Ļ': "L", 'Ľ': "L", 'Ŀ': "L",
	'Ł': "L", 'Ń': "N", 'Ņ': "N", 'Ň': "N", 'Ŋ': "N", 'Ō': "O", 'Ŏ': "O", 'Ő': "O",
	'Œ': "OE", 'Ŕ': "R", 'Ŗ': "R", 'Ř': "R", 'Ś': "S", 'Ŝ': "S", 'Ş': "S", 'Š': "S",
	'Ţ': "T", 'Ť': "T", 'Ŧ': "T", 'Ũ': "U", 'Ū': "U", 'Ŭ': "U", 'Ů': "U", 'Ű': "U",
	'Ų': "U", 'Ŵ': "W", 'Ŷ': "Y", 'Ÿ': "Y", 'Ź': "Z", 'Ż': "Z", 'Ž': "Z", 'Ǝ': "E",
	'Ə': "E", 'Ơ': "O", 'Ư': "U", 'Ǎ': "A", 'Ǐ': "I", 'Ǒ': "O", 'Ǔ': "U", 'Ǧ': "G",
	'Ǩ': "K", 'Ș': "S", 'Ț': "T", 'ẞ': "SS", 'Ạ': "A", 'Ả': "A", 'Ấ': "A", 'Ầ': "A",
	'Ẩ': "A", 'Ẫ': "A", 'Ậ': "A", 'Ắ': "A", 'Ằ': "A", 'Ẳ': "A", 'Ẵ': "A", 'Ặ': "A",
	'Ẹ': "E", 'Ẻ': "E", 'Ẽ': "E", 'Ế': "E", 'Ề': "E", 'Ể': "E", 'Ễ': "E", 'Ệ': "E",
	'Ỉ': "I", 'Ị': "I", 'Ọ': "O", 'Ỏ': "O", 'Ố': "O", 'Ồ': "O", 'Ổ': "O", 'Ỗ': "O",
	'Ộ': "O", 'Ớ': "O", 'Ờ': "O", 'Ở': "O", 'Ỡ': "O", 'Ợ': "O", 'Ụ': "U", 'Ủ': "U",
	'Ứ': "U", 'Ừ': "U", 'Ử': "U", 'Ữ': "U", 'Ự': "U", 'Ỳ': "Y", 'Ỵ': "Y", 'Ỷ': "Y",
	'Ỹ': "Y",
}

// cyrillic is section 6.B.
var cyrillic = map[rune]string{
	'А': "A", 'Б': "B", 'В': "V", 'Г': "G", 'Ґ': "G", 'Д': "D", 'Е': "E", 'Ё': "E",
	'Ж': "ZH", 'З': "Z", 'И': "I", 'Й': "I", 'К': "K", 'Л': "L", 'М': "M", 'Н': "N",
	'О': "O", 'П': "P", 'Р': "R", 'С': "S", 'Т': "T", 'У': "U", 'Ф': "F", 'Х': "KH",
	'Ц': "TS", 'Ч': "CH", 'Ш': "SH", 'Щ': "SHCH", 'Ъ': "IE", 'Ы': "Y", 'Ь': "", 'Э': "E",
	'Ю': "IU", 'Я': "IA", 'І': "I", 'Ї': "I", 'Є': "IE", 'Ў': "U", 'Ђ': "D", 'Ѓ': "G",
	'Ѕ': "DZ", 'Ј': "J", 'Љ': "LJ", 'Њ': "NJ", 'Ћ': "C", 'Ќ': "K", 'Џ': "DZ", 'Ѫ': "U",
}

// arabic is section 6.C without teh marbuta, shadda and what is not encoded.
var arabic = map[rune]string{
	'ء': "XE", 'آ': "XAA", 'أ': "XAE", 'ؤ': "U", 'إ': "I", 'ئ': "XI", 'ا': "A", 'ب': "B",
	'ت': "T", 'ث': "XTH", 'ج': "J", 'ح': "XH", 'خ': "XKH", 'د': "D", 'ذ': "XDH", 'ر': "R",
	'ز': "Z", 'س': "S", 'ش': "XSH", 'ص': "XSS", 'ض': "XDZ", 'ط': "XTT", 'ظ': "XZZ", 'ع': "E",
	'غ': "G", 'ف': "F", 'ق': "Q", 'ك': "K", 'ل': "L", 'م': "M", 'ن': "N", 'ه': "H",
	'و': "W", 'ى': "XAY", 'ي': "Y", 'ٱ': "XXA", 'ٹ': "XXT", 'ټ': "XRT", 'پ': "P", 'ځ': "XKE",
	'څ': "XXH", 'چ': "XC", 'ڈ': "XXD", 'ډ': "XDR", 'ڑ': "XXR", 'ړ': "XRR", 'ږ': "XRX", 'ژ': "XJ",
	'ښ': "XXS", 'ک': "XKK", 'ګ': "XXK", 'ڭ': "XNG", 'گ': "XGG", 'ں': "XNN", 'ڼ': "XXN", 'ھ': "XDO",
	'ۀ': "XYH", 'ہ': "XXG", 'ۂ': "XGE", 'ۃ': "XTG", 'ی': "XYA", 'ۍ': "XXY", 'ې': "Y", 'ے': "XYB",
	'ۓ': "XBE",
}

// cyrillicFor holds what section 6.B writes differently for one language, by its
// BCP 47 code.
var cyrillicFor = map[string]map[rune]string{
	"uk": {'Г': "H", 'И': "Y"},
	"sr": {'Ж': "Z", 'Х': "H", 'Ц': "C", 'Ч': "C", 'Ш': "S"},
	"mk": {'Ж': "ZH", 'Х': "H", 'Ц': "C", 'Ѓ': "GJ", 'Ќ': "KJ", 'Џ': "DJ"},
	"bg": {'Щ': "SHT"},
	"be": {'Ё': "IO", 'Г': "H"},
}

// ukrainianFirst applies to the first letter of a word.
var ukrainianFirst = map[rune]string{'Є': "YE", 'Ї': "YI", 'Й': "Y", 'Ю': "YU", 'Я': "YA"}

// iso3166 holds the alpha-3 codes of ISO 3166-1.
const iso3166 = " " +
	"ABW AFG AGO AIA ALA ALB AND ARE ARG ARM ASM ATA ATF ATG AUS AUT AZE BDI BEL BEN BES BFA BGD BGR " +
	"BHR BHS BIH BLM BLR BLZ BMU BOL BRA BRB BRN BTN BVT BWA CAF CAN CCK CHE CHL CHN CIV CMR COD COG " +
	"COK COL COM CPV CRI CUB CUW CXR CYM CYP CZE DEU DJI DMA DNK DOM DZA ECU EGY ERI ESH ESP EST ETH " +
	"FIN FJI FLK FRA FRO FSM GAB GBR GEO GGY GHA GIB GIN GLP GMB GNB GNQ GRC GRD GRL GTM GUF GUM GUY " +
	"HKG HMD HND HRV HTI HUN IDN IMN IND IOT IRL IRN IRQ ISL ISR ITA JAM JEY JOR JPN KAZ KEN KGZ KHM " +
	"KIR KNA KOR KWT LAO LBN LBR LBY LCA LIE LKA LSO LTU LUX LVA MAC MAF MAR MCO MDA MDG MDV MEX MHL " +
	"MKD MLI MLT MMR MNE MNG MNP MOZ MRT MSR MTQ MUS MWI MYS MYT NAM NCL NER NFK NGA NIC NIU NLD NOR " +
	"NPL NRU NZL OMN PAK PAN PCN PER PHL PLW PNG POL PRI PRK PRT PRY PSE PYF QAT REU ROU RUS RWA SAU " +
	"SDN SEN SGP SGS SHN SJM SLB SLE SLV SMR SOM SPM SRB SSD STP SUR SVK SVN SWE SWZ SXM SYC SYR TCA " +
	"TCD TGO THA TJK TKL TKM TLS TON TTO TUN TUR TUV TWN TZA UGA UKR UMI URY USA UZB VAT VCT VEN VGB " +
	"VIR VNM VUT WLF WSM YEM ZAF ZMB ZWE "

// Codes of section 5 beyond ISO 3166-1: territories that issue documents (UTO is
// the State of specimens), groups of persons, organisations.
const (
	territories   = " UNK RKS UTO "
	persons       = " XXA XXB XXC XXX GBD GBN GBO GBP GBS "
	organisations = " XOM UNO UNA XPO XCC XBA XIM XCE XCO XEC EUE "
)
