/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * ring.pml: the ring of one CPU, for spin. Two threads on that CPU write, a reader elsewhere reads, the trace
 * of the slot changes once, anybody may be killed anywhere. To be read beside lib/core/weir_ring.h,
 * ring_append.c, ring_read.c and lib/client/rseq_x86_64.h; the labels switch:A, append:B, reset:C are theirs.
 * run.sh lists the configurations.
 *
 * The ring: 2 sub-buffers of 4 words: a header of two (HEAD, stored when the packet is opened; CONTENT, stored
 * 0 then, and the packet's size when the packet is sealed) and room for 2 record words (3 with SB=5). Records
 * have 1 or 2 words, so that one may fit where another does not; every 2 to 4 records are a lap. The value of a word tells
 * its trace, its lap, its writer and which word it is.
 *
 * What is abstracted, and why that is enough:
 *  - Stores become visible in program order (x86-TSO; elsewhere the barriers at the labels give the orders that
 *    matter). NO_BARRIER lets the store of claim be late, so that the model shows that switch:A is needed.
 *  - A section is left before any step of it, for no reason: what it stored stays. The other thread of the CPU
 *    runs only when no section is under way: the kernel aborts a section before anything else runs there. A
 *    thread that has migrated fails the compare of the CPU, which
 *    changes nothing, so it is not modelled but for NO_CPU_COMPARE. The compares and the first store are one
 *    step: only sections of this CPU store what is compared, and a section that is left between them has
 *    stored nothing.
 *  - After an abort the event is tried again or, in the configurations with COUNT, given up and counted.
 *  - Kill: a thread that is killed is one that never runs again, which is every prefix of a run. So what a
 *    reader finds when everybody is killed is looked at after every step of a writer: check_kill().
 *  - A reader stores nothing, and it takes or drops each word by itself (p >= valid_from), so a reader that
 *    copies one word, any of the view, finds what one that copies them all one by one finds. It compares the
 *    word with what was committed at that offset in that epoch, which is more than whole, in order and of the
 *    right trace: it is the very word. Reading twice adds nothing, but for the consumer, which loops.
 *  - weir_ring_valid_from() loads claim, then epoch. The model judges when claim is loaded: an epoch that still
 *    is e later was e then.
 *  - `lost` is one atomic word; `begin` is a hint for the rule of 2^47 ns only.
 *
 * What starts with gh_ is the checker's own; the protocol does not read it.
 */
#ifdef DISCARD
#define COUNT
#endif
#ifndef EPOCHS
#define EPOCHS 1
#endif
#ifndef LIMIT
#define LIMIT 16 /* no event starts when position is there: 16 is two laps */
#endif

#ifndef SB
#define SB 4 /* words of a sub-buffer */
#endif
#define RING (2 * SB)
#define HEADER 2 /* words of a packet header */
#define MARK 128 /* position: MARK + epoch: on the way to that epoch, or empty in it */
#define NOTHING 255

#define HEAD(e, p) (64 * (e) + (p) / SB)
#define CONTENT(e, p, content) (64 * (e) + 4 * ((p) / SB) + (content) - HEADER)
#define RECORD(e, p, word) (64 * (e) + 32 * id + 2 * ((p) / RING) + (word))

#define ROUND_UP(p) (((p) + SB - 1) / SB * SB)
#define ROUND_DOWN(p) ((p) / SB * SB)
#define OLDEST(c) ((c) > RING -> (c) - RING : 0)

/* ---- shared: struct weir_ring, its bytes, and the slot of the tracing control --------------------------*/
byte cell[RING];
byte position, claim, epoch;
#ifdef DISCARD
byte consumed, consumed_epoch;
#endif
byte slot = 1; /* the trace that events are for */

/* ---- the machine ---------------------------------------------------------------------------------------*/
bool inside; /* a thread is in a section */
#ifdef NO_BARRIER
byte late; /* a claim that is stored but not visible; 0: none */
#endif
#ifdef CLOCK
byte now; /* moves with each commit */
#endif

/* ---- the checker's -------------------------------------------------------------------------------------*/
byte gh_word[EPOCHS * RING]; /* [epoch][offset % RING]: the word committed last; 0: none */
byte gh_end[EPOCHS];	     /* [epoch]: position after the last commit */
#ifdef CLOCK
byte gh_time[EPOCHS]; /* [epoch]: of the last record */
#endif
#ifdef COUNT
byte gh_open; /* events that are neither recorded nor counted */
byte gh_finished;
#endif
#ifdef DISCARD
byte gh_taken[EPOCHS]; /* [epoch]: what the consumer has taken */
#endif
hidden byte k;

#define END(e) gh_end[(e) - 1]
#define COMMITTED(e, p) gh_word[((e) - 1) * RING + (p) % RING]
/* A reader does not trust CONTENT of the open packet, and ignores what lies behind a packet's content. */
#define TRUSTED(e, p, end) (COMMITTED(e, p) && !((p) % SB == 1 && (p) >= ROUND_DOWN((end) - 1)))
/* No commit has gone over offset p again. */
#define STANDS(e, p) ((p) + RING >= ROUND_UP(END(e)))

/* With RESET_ZERO, what a reset that was left half-way has taken is not asked for: what is then read is. */
#ifdef RESET_ZERO
#define RESET_BEGUN (position == 0)
#else
#define RESET_BEGUN false
#endif

#define SANE (!position || position <= claim && claim - position <= 2 * SB && claim % SB == 0)

/* With TORN a reader finds out itself that the words contradict each other and reads nothing, as
 * weir_ring_sample() does; what is wrong then is what it does read. */
#ifdef TORN
#define FIRST (SANE -> OLDEST(claim) : position)
#else
#define FIRST OLDEST(claim)
#endif

/* After any step everybody may be killed: all that was committed is there. */
inline check_kill()
{
	d_step {
		if
		:: epoch && position < MARK ->
			assert(position == END(epoch) || RESET_BEGUN);
#ifndef TORN
			assert(SANE);
#endif
			k = FIRST;
			do
			:: k < position ->
				assert(!TRUSTED(epoch, k, position) || cell[k % RING] == COMMITTED(epoch, k));
				k++
			:: else -> break
			od
		:: else
		fi;
		k = 0
	}
}

/* In discard mode, what the consumer has not taken is not overwritten. */
inline check_claim()
{
#ifdef DISCARD
	assert(epoch != ev || OLDEST(start + SB) <= gh_taken[ev - 1])
#else
	skip
#endif
}

/* ---- writing -------------------------------------------------------------------------------------------*/

#ifdef NO_CPU_COMPARE
#define ON_CPU (!inside || elsewhere)
#define ENTER if :: elsewhere :: else -> inside = true fi
#define LEAVE if :: elsewhere :: else -> inside = false fi
#else
#define ON_CPU (!inside)
#define ENTER inside = true
#define LEAVE inside = false
#endif
#ifdef COUNT
#define ABORTED if :: goto retry :: gh_open--; goto next fi /* again, or weir_ring_lose() */
#else
#define ABORTED goto retry
#endif

/* One step of a thread: outside a section; the first of a section; inside one; the last. */
#define RUN(stmt) atomic { ON_CPU -> stmt }
#define SECTION(cond, stmt) \
	atomic { ON_CPU -> if :: cond -> ENTER; stmt; check_kill() :: else -> ABORTED fi }
#define STEP(stmt) atomic { if :: stmt; check_kill() :: LEAVE; ABORTED fi }
#define LAST(stmt) atomic { if :: stmt; LEAVE; check_kill() :: LEAVE; ABORTED fi }

#ifdef NO_BARRIER
#define STORE_CLAIM late = start + SB
#define DRAIN if :: late -> claim = late; late = 0 :: else fi
#else
#define STORE_CLAIM claim = start + SB
#define DRAIN skip
#endif
#define OLD_CONTENT (ROUND_DOWN(at - 1) + 1)
#define SEAL CONTENT(ev, at - 1, at - ROUND_DOWN(at - 1))

/* One step: position is stored, and the checker notes what it commits. */
inline commit(first)
{
	d_step {
		assert(at == END(ev) || RESET_BEGUN); /* nothing that was committed is written again */
#ifdef CLOCK
		assert(time >= gh_time[ev - 1]); /* time never goes back */
		gh_time[ev - 1] = time;
		now++;
#endif
		if
		:: opens && at -> COMMITTED(ev, OLD_CONTENT) = SEAL
		:: else
		fi;
		if
		:: opens ->
			COMMITTED(ev, start) = HEAD(ev, start);
			k = start + 1;
			do
			:: k < start + SB -> COMMITTED(ev, k) = 0; k++
			:: else -> break
			od;
			k = 0
		:: else
		fi;
		COMMITTED(ev, first) = RECORD(ev, first, 0);
		if
		:: words == 2 -> COMMITTED(ev, first + 1) = RECORD(ev, first, 1)
		:: else
		fi;
		position = first + words;
		END(ev) = position;
#ifdef COUNT
		gh_open--
#endif
	}
}

proctype Writer(bit id)
{
	byte ev;	 /* epoch of the event */
	byte words;	 /* of the record */
	byte ring_epoch; /* weir_ring_state */
	byte raw;	 /* position as it stands there, */
	byte at;	 /* and what it means */
	byte start;	 /* weir_ring_step: of the packet, if one is opened */
#ifdef CLOCK
	byte time;
#endif
#ifdef DISCARD
	bit ours;
#endif
#ifdef NO_CPU_COMPARE
	bit elsewhere;
#endif
	bit opens;

next:	atomic {
		ON_CPU -> ring_epoch = 0; raw = 0; at = 0; start = 0; opens = 0; ev = 0; words = 0;
#ifdef CLOCK
		time = 0;
#endif
		ev = slot;
		if
		:: END(ev) >= LIMIT -> ev = 0; goto finished
		:: else
		fi;
#ifdef COUNT
		gh_open++;
#endif
		if :: words = 1 :: words = 2 fi
	}

	/* weir_append(), weir_append_slow(): what is loaded, in this order */
retry:	atomic {
		ON_CPU -> DRAIN; ring_epoch = 0; raw = 0; at = 0; start = 0; opens = 0;
#ifdef NO_CPU_COMPARE
		if :: elsewhere = 0 :: elsewhere = 1 fi;
#endif
#ifdef CLOCK_FIRST
		time = now;
#endif
#ifndef POSITION_FIRST
		ring_epoch = epoch
#endif
	}
#ifdef POSITION_FIRST
	RUN(raw = position);
	RUN(time = now);
	RUN(ring_epoch = epoch; goto plan);
#elif defined(CLOCK) && !defined(CLOCK_FIRST)
	RUN(raw = position);
	RUN(time = now; goto plan);
#else
	RUN(raw = position; goto plan);
#endif

	/* weir_ring_plan(): no step of its own, but for the loads of discard mode */
plan:	atomic {
		if
		:: ring_epoch > ev || ring_epoch == ev && raw >= MARK && raw != MARK + ev ->
#ifdef COUNT
			gh_open--;
#endif
			goto next
		:: ring_epoch < ev -> goto reset
		:: else
		fi;
		at = (raw >= MARK -> 0 : raw);
		if
		:: at % SB != 0 && at % SB + words <= SB -> goto append
		:: else -> start = ROUND_UP(at); opens = 1
		fi
	}
#ifdef DISCARD
	RUN(ours = consumed_epoch == ev);
	atomic {
		ON_CPU ->
		if
		:: start + SB - (ours -> consumed : 0) > RING -> ours = 0; gh_open--; goto next
		:: else -> ours = 0
		fi
	}
#endif

	/* switch: a packet is opened at start, the record follows its header */
#ifdef CLAIM_OUTSIDE
	RUN(STORE_CLAIM; check_kill());
#endif
#ifdef HEADER_OUTSIDE
	if
	:: at -> RUN(cell[OLD_CONTENT % RING] = SEAL)
	:: else
	fi;
#endif
	SECTION(epoch == ev && position == raw, check_claim(); STORE_CLAIM); /* switch:A */
#ifndef HEADER_OUTSIDE
	if
	:: at -> STEP(cell[OLD_CONTENT % RING] = SEAL)
	:: else
	fi;
#endif
	STEP(cell[start % RING] = HEAD(ev, start));
	STEP(cell[(start + 1) % RING] = 0);
	STEP(cell[(start + 2) % RING] = RECORD(ev, start, 0));
	if
	:: words == 2 -> STEP(cell[(start + 3) % RING] = RECORD(ev, start, 1))
	:: else
	fi;
	LAST(DRAIN; commit(start + HEADER)); /* append:B */
	goto next;

append:	SECTION(epoch == ev && position == raw, cell[at % RING] = RECORD(ev, at, 0));
	if
	:: words == 2 -> STEP(cell[(at + 1) % RING] = RECORD(ev, at, 1))
	:: else
	fi;
	LAST(commit(at)); /* append:B */
	goto next;

#ifdef RESET_ZERO
#define RESET_POSITION 0
#else
#define RESET_POSITION (MARK + ev)
#endif
reset:
#ifdef EPOCH_FIRST
	SECTION(epoch == ring_epoch, epoch = ev);
	STEP(position = RESET_POSITION);
	LAST(claim = 0);
#else
	SECTION(epoch == ring_epoch, position = RESET_POSITION);
	STEP(claim = 0);
	LAST(epoch = ev); /* reset:C */
#endif
	goto retry;

finished:
#ifdef COUNT
	/* written = readable + lost: every event is recorded, counted, or of a trace that is gone */
	atomic { gh_finished++; assert(gh_finished < 2 || gh_open == 0) }
#else
	skip
#endif
}

/* ---- reading: weir_ring_sample(), a copy, weir_ring_valid_from() ---------------------------------------*/

/*
 * A view [p, to) of trace e, or `nothing`.
 *
 * Step by step with STEPS. Without, in one step, which is the same: epoch and claim are found to be what they
 * were, and in an epoch claim never goes back but to 0, which is no view; so both stood when position was loaded.
 */
inline sample()
{
#ifdef STEPS
	atomic { /* sample:C */
		if
		:: epoch == e -> skip
		:: else -> goto nothing
		fi
	}
	before = claim;
	to = position; /* sample:B */
	atomic {
		if
		:: claim == before -> skip
		:: else -> before = 0; to = 0; goto again
		fi
	}
#endif
	atomic {
#ifndef STEPS
		before = claim;
		to = position;
#endif
		if
		:: epoch != e || to >= MARK || to == 0 -> goto nothing
#ifndef CLAIM_ZERO
		:: before == 0 -> goto nothing /* a reset has stored claim, but not epoch yet */
#endif
		:: else
		fi;
		assert(before % SB == 0 && to <= before && before - to <= 2 * SB); /* weir_ring_sane() */
		p = OLDEST(before);
		before = 0;
		if
		:: p >= to -> goto nothing
		:: else
		fi
	}
}

#ifdef READER
proctype Reader()
{
	byte e, to, before, p;

	if :: e = 1 :: EPOCHS > 1 -> e = 2 fi;
again:	sample();
	atomic { /* the copy, of any word: p */
		do
		:: p + 1 < to -> p++
		:: break
		od;
		to = ROUND_UP(to); /* only its sub-buffer matters from here on */
		if
		:: STANDS(e, p) && (!TRUSTED(e, p, to) || cell[p % RING] == COMMITTED(e, p)) -> goto nothing
		:: else
		fi
	}
	/* valid:A: the copy is not what was committed, so it has to be dropped */
#ifdef NO_RECHECK
	assert(epoch != e);
#else
	assert(epoch != e || claim < to || p < OLDEST(claim));
#endif
nothing:
	atomic { e = 0; to = 0; before = 0; p = 0 }
}
#endif

#ifdef DISCARD
/*
 * The consumer of live/: what it has taken is in its own memory, what it publishes is for the writer. What it has
 * not taken is whole after every step (check_kill) and is never overwritten (check_claim), so it does not
 * matter when it copies, and it need not load claim again.
 */
proctype Consumer()
{
	byte e, to, before, p;

again:	atomic {
		to = 0; before = 0; p = 0;
		if
		:: e == slot -> goto look
		:: else -> e = slot
		fi
	}
#ifdef PUBLISH_EPOCH_FIRST
	consumed_epoch = e;
	consumed = 0;
#else
	consumed = 0; /* what was taken of one trace must not stand beside another one's epoch */
	consumed_epoch = e;
#endif
look:	sample();
	atomic {
		if
		:: epoch == e -> assert(p <= gh_taken[e - 1]); consumed = to; gh_taken[e - 1] = to
		:: else
		fi;
nothing:	goto again
	}
}
#endif

#if EPOCHS > 1
/* The daemon gives the slot to a new trace. */
proctype Daemon()
{
	slot = 2
}
#endif

init {
	atomic {
		run Writer(0);
		run Writer(1);
#ifdef READER
		run Reader();
#endif
#ifdef DISCARD
		run Consumer();
#endif
#if EPOCHS > 1
		run Daemon();
#endif
	}
}
