/** Phrases that this project no longer uses, and what to say instead. Each comes with sentences in which it must be found. */

interface Phrase {
  /** Global, and with `\s+` between words, since comments and pages break lines. */
  readonly banned: RegExp;
  readonly instead: string;
  readonly snippets: readonly string[];
  readonly onlyIn?: "comment";
}

export const PHRASES: readonly Phrase[] = [
  {
    banned: /\banew\b/gi,
    instead: "again, or a verb with re-: recreated, restarted, reconnects",
    snippets: ["the stream was made anew", "it begins anew at the cursor"],
  },
  {
    banned: /\bwho(m|so)?ever\b/gi,
    instead: "the program or the person, by name",
    snippets: ["whoever closes last checkpoints", "to whomever it belongs"],
  },
  {
    banned: /\b(some|no)body('s)?\b/gi,
    instead: "another process, another user, none; or the passive",
    snippets: ["somebody else's file", "nobody can tell", "Nobody waits for it"],
  },
  {
    banned: /\b(go(es|ing)?|went)\s+on\b(?!\s+(strike|top))/gi,
    instead: "continues, resumes, keeps running, is still running",
    snippets: ["reading goes on", "the daemon\n * goes on", "numbers that go on"],
  },
  {
    banned: /(?<!\b(there|why|where|if|which)\s+)\bis\s+no\s+(?!(longer|more|less|other|such|need|way|one)\b)\w+/gi,
    instead: "is not a …, invalid, missing",
    snippets: ["this is no PeerID", "a peer that is no partner"],
  },
  {
    banned: /\b(lets?|letting)\s+go\s+of\b/gi,
    instead: "releases, closes, drops",
    snippets: ["lets go of the file"],
  },
  {
    banned: /\b(stands?|stood)\b(?!-|\s+(for|in)\b)|\bstanding\s+still\b/gi,
    instead: "is open, is established; is paused, stalls; has",
    snippets: ["while the stream stands", "no connection stood", "the clock stands still", "what can stand there"],
  },
  {
    banned: /\b(he|him|himself|his)\b/gi,
    instead: "it for programs and attackers, they for people",
    snippets: ["nothing he does", "in his end", "makes it his."],
  },
  {
    banned: /(?<!\bclocks?\b[^.\0]{0,40})\b(set(s|ting)?\s+back|set-backs?)\b/gi,
    instead: "rewound",
    snippets: ["a stream that was set back", "after a set-back"],
  },
  {
    banned: /\bto\s+be\s+had\b/gi,
    instead: "unavailable, missing",
    snippets: ["is not to be had"],
  },
  {
    banned: /\bas\s+(it|they)\s+ha(s|ve)\s+to\s+be\b/gi,
    instead: "correct, as required; misconfigured",
    snippets: ["is not as it has to be", "streams as they have to be"],
  },
  {
    banned: /\bmeanwhile\b/gi,
    instead: "in the meantime, or nothing",
    snippets: ["was recreated meanwhile"],
  },
  {
    banned: /\b(for\s+want\s+of|as\s+long\s+as\s+it\s+lasts|such\s+as\s+it\s+is|takes?\s+part\s+in)\b/gi,
    instead: "for lack of; while; as is; participates",
    snippets: ["skipped for want of root", "busy as long as it lasts", "the file, such as it is", "takes part in it"],
  },
  {
    banned: /\b(is|are|and)\s+dear\b/gi,
    instead: "slow, expensive",
    snippets: ["the migrations are dear", "the same in every run, and dear."],
  },
  {
    banned: /(?<=^\s*|\0\s*|[.!?]\s+)\b(What|Who|Whom|Whose|Whatever)\s(?![^.?!\0]*\?)/g,
    instead: "the subject first, then the verb",
    snippets: ["What must always hold.", "It is closed. Whatever was sent is lost.", "Whom a line is about."],
    onlyIn: "comment",
  },
];
