// The other side of the interoperability tests: signs and verifies with
// packages that nobody of Kinpass wrote. It reads one JSON request per line
// from standard input and answers each with one line: {"ok": …} or {"error"}.
import * as readline from 'node:readline';
import {createHash, createPrivateKey, createPublicKey, randomBytes, sign as nodeSign, verify as nodeVerify} from 'node:crypto';
import {readFileSync} from 'node:fs';

import * as EcdsaMultikey from '@digitalbazaar/ecdsa-multikey';
import * as Ed25519Multikey from '@digitalbazaar/ed25519-multikey';
import * as bsl from '@digitalbazaar/vc-bitstring-status-list';
import * as ecdsaSd from '@digitalbazaar/ecdsa-sd-2023-cryptosuite';
import * as vc from '@digitalbazaar/vc';
import {DataIntegrityProof} from '@digitalbazaar/data-integrity';
import {contexts as credentialContexts} from '@digitalbazaar/credentials-context';
import dataIntegrityContext from '@digitalbazaar/data-integrity-context';
import multikeyContext from '@digitalbazaar/multikey-context';
import {cryptosuite as ecdsaRdfc} from '@digitalbazaar/ecdsa-rdfc-2019-cryptosuite';
import {cryptosuite as eddsaRdfc} from '@digitalbazaar/eddsa-rdfc-2022-cryptosuite';
import jsigs from 'jsonld-signatures';
import {SDJwtInstance} from '@sd-jwt/core';
import {SDJwtVcInstance} from '@sd-jwt/sd-jwt-vc';
import * as jose from 'jose';

const {purposes: {AssertionProofPurpose}} = jsigs;

// Contexts: from npm, and the one of Kinpass from its own tree. Nothing is
// fetched.
const documents = new Map(credentialContexts);
for(const [url, document] of dataIntegrityContext.contexts) {
  documents.set(url, document);
}
for(const [url, document] of multikeyContext.contexts) {
  documents.set(url, document);
}
if(process.env.KINPASS_CONTEXT) {
  documents.set('https://w3id.org/kinpass/v1', JSON.parse(readFileSync(process.env.KINPASS_CONTEXT)));
}

const packages = {z6Mk: Ed25519Multikey, zDna: EcdsaMultikey, z82L: EcdsaMultikey};

async function documentLoader(url) {
  if(documents.has(url)) {
    return {contextUrl: null, documentUrl: url, document: documents.get(url)};
  }
  if(url.startsWith('did:key:')) {
    const [id, fragment] = url.split('#');
    const publicKeyMultibase = id.slice('did:key:'.length);
    const method = {
      '@context': 'https://w3id.org/security/multikey/v1',
      id: `${id}#${publicKeyMultibase}`, type: 'Multikey', controller: id, publicKeyMultibase
    };
    const document = fragment ? method : {
      '@context': ['https://www.w3.org/ns/did/v1', 'https://w3id.org/security/multikey/v1'],
      id, verificationMethod: [method], assertionMethod: [method.id], authentication: [method.id]
    };
    return {contextUrl: null, documentUrl: url, document};
  }
  throw new Error(`not known here: ${url}`);
}

// keyPair makes a fresh key whose identifier is a did:key.
async function keyPair(curve) {
  const key = curve === 'Ed25519' ? await Ed25519Multikey.generate() : await EcdsaMultikey.generate({curve});
  const {publicKeyMultibase} = await key.export({publicKey: true});
  key.controller = `did:key:${publicKeyMultibase}`;
  key.id = `${key.controller}#${publicKeyMultibase}`;
  return key;
}

const curves = {'eddsa-rdfc-2022': 'Ed25519', 'ecdsa-rdfc-2019': 'P-256', 'ecdsa-sd-2023': 'P-256'};

function signCryptosuite({suite, mandatoryPointers}) {
  switch(suite) {
    case 'eddsa-rdfc-2022': return eddsaRdfc;
    case 'ecdsa-rdfc-2019': return ecdsaRdfc;
    case 'ecdsa-sd-2023': return ecdsaSd.createSignCryptosuite({mandatoryPointers});
  }
  throw new Error('unknown cryptosuite');
}

function verifyCryptosuite(suite) {
  return suite === 'ecdsa-sd-2023' ? ecdsaSd.createVerifyCryptosuite() : signCryptosuite({suite});
}

function joseKey(jwk) {
  return jose.importJWK(jwk, jwk.alg);
}

const hasher = (data, alg) => new Uint8Array(createHash(alg.replace('-', '')).update(data).digest());
const saltGenerator = () => randomBytes(16).toString('base64url');

function es256(jwk) {
  const key = createPrivateKey({key: jwk, format: 'jwk'});
  return data => nodeSign('sha256', Buffer.from(data), {key, dsaEncoding: 'ieee-p1363'}).toString('base64url');
}

function verifierOf(jwk) {
  const key = createPublicKey({key: jwk, format: 'jwk'});
  return (data, signature) => jwk.kty === 'OKP' ?
    nodeVerify(null, Buffer.from(data), key, Buffer.from(signature, 'base64url')) :
    nodeVerify('sha256', Buffer.from(data), {key, dsaEncoding: 'ieee-p1363'}, Buffer.from(signature, 'base64url'));
}

function sdjwt({publicJwk, privateJwk, holderPrivate, statusList, vct}) {
  const Instance = vct ? SDJwtVcInstance : SDJwtInstance;
  return new Instance({
    hasher, hashAlg: 'sha-256', saltGenerator, signAlg: 'ES256', kbSignAlg: 'ES256',
    signer: privateJwk && es256(privateJwk),
    verifier: publicJwk && verifierOf(publicJwk),
    kbSigner: holderPrivate && es256(holderPrivate),
    kbVerifier: (data, signature, payload) => verifierOf(payload.cnf.jwk)(data, signature),
    statusListFetcher: async () => statusList,
    statusVerifier: publicJwk && verifierOf(publicJwk)
  });
}

const operations = {
  // Data Integrity.
  async issue({suite, curve, credential, mandatoryPointers}) {
    const key = await keyPair(curve || curves[suite]);
    const proof = new DataIntegrityProof({signer: key.signer(), cryptosuite: signCryptosuite({suite, mandatoryPointers})});
    return vc.issue({credential: {...credential, issuer: key.controller}, suite: proof, documentLoader});
  },
  async derive({credential, selectivePointers}) {
    const suite = new DataIntegrityProof({cryptosuite: ecdsaSd.createDiscloseCryptosuite({selectivePointers})});
    return vc.derive({verifiableCredential: credential, suite, documentLoader});
  },
  async verify({suite, credential}) {
    const proof = new DataIntegrityProof({cryptosuite: verifyCryptosuite(suite)});
    const purpose = new AssertionProofPurpose();
    const r = await jsigs.verify(credential, {suite: proof, purpose, documentLoader});
    if(!r.verified) {
      throw r.error;
    }
    return true;
  },
  async signPresentation({presentation, challenge, domain}) {
    const key = await keyPair('Ed25519');
    const suite = new DataIntegrityProof({signer: key.signer(), cryptosuite: eddsaRdfc});
    return vc.signPresentation({presentation: {...presentation, holder: key.controller}, suite, challenge, domain, documentLoader});
  },
  async verifyPresentation({presentation, challenge, domain, suites}) {
    const suite = suites.map(s => new DataIntegrityProof({cryptosuite: verifyCryptosuite(s)}));
    // Status is checked on its own (checkStatus below).
    const r = await vc.verify({presentation, suite, challenge, domain, documentLoader, checkStatus: async () => ({verified: true})});
    if(!r.verified) {
      // Which part failed is in the results of the parts.
      throw r.error || r.presentationResult?.error || r.credentialResults?.find(c => !c.verified)?.error || new Error('not verified');
    }
    return true;
  },
  // Bitstring Status List.
  async encodeList({length, set}) {
    const list = await bsl.createList({length});
    for(const i of set) {
      list.setStatus(i, true);
    }
    return list.encode();
  },
  async decodeList({encodedList, indexes}) {
    const list = await bsl.decodeList({encodedList});
    return {length: list.length, statuses: indexes.map(i => list.getStatus(i))};
  },
  async checkStatus({credential, list, suite}) {
    const proof = new DataIntegrityProof({cryptosuite: verifyCryptosuite(suite)});
    const loader = url => url === list.id ?
      {contextUrl: null, documentUrl: url, document: list} : documentLoader(url);
    const r = await bsl.checkStatus({credential, suite: proof, documentLoader: loader, verifyBitstringStatusListCredential: true, verifyMatchingIssuers: true});
    if(r.error) {
      throw r.error;
    }
    return {verified: r.verified, results: r.results.map(x => x.status)};
  },
  // JOSE.
  async joseSign({payload, jwk, header}) {
    return new jose.CompactSign(Buffer.from(payload)).setProtectedHeader(header).sign(await joseKey(jwk));
  },
  async joseVerify({jws, jwk}) {
    const r = await jose.compactVerify(jws, await joseKey(jwk));
    return {payload: Buffer.from(r.payload).toString(), header: r.protectedHeader};
  },
  async joseGenerate({alg}) {
    const {privateKey, publicKey} = await jose.generateKeyPair(alg, {extractable: true});
    return {private: {...await jose.exportJWK(privateKey), alg}, public: {...await jose.exportJWK(publicKey), alg}};
  },
  // SD-JWT.
  async sdIssue({claims, frame, jwk, vct, header}) {
    return sdjwt({privateJwk: jwk, vct}).issue(claims, frame, {header});
  },
  async sdPresent({sd, frame, kb, jwk, vct}) {
    return sdjwt({holderPrivate: jwk, vct}).present(sd, frame, kb && {kb: {payload: kb}});
  },
  async sdVerify({sd, jwk, nonce, vct, statusList, now}) {
    const r = await sdjwt({publicJwk: jwk, vct, statusList}).verify(sd, {keyBindingNonce: nonce, currentDate: now});
    return {payload: r.payload, kb: r.kb && r.kb.payload};
  }
};

for await (const line of readline.createInterface({input: process.stdin, crlfDelay: Infinity})) {
  const request = JSON.parse(line);
  let answer;
  try {
    answer = {ok: await operations[request.op](request)};
  } catch(e) {
    const parts = e.errors || (e.cause ? [e.cause] : []);
    answer = {error: [e.message, ...parts.map(x => `${x.message} ${JSON.stringify(x.details || {})}`)].join(': ')};
  }
  process.stdout.write(JSON.stringify(answer) + '\n');
}
