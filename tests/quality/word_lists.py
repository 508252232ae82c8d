"""Words that the naming rules of CONTRIBUTING.md are checked with."""

from __future__ import annotations

# A function name starts with one of these, unless it is a property or a formula.
VERBS = frozenset(
    """
    accept acquire activate adapt add aggregate align allow analyze anonymize answer append apply
    archive assert assign attach authenticate authorize begin bind bootstrap build calculate call
    cancel cast check choose claim clean clear clip clone close collect combine compare compile
    complete compose compress compute confirm connect consume convert copy count create cross cut
    decide declare decline decode decrypt delete deliver deny dequantize derive describe destroy
    detach detect disable discard discover dispatch download draw drop dump embed emit enable encode
    encrypt end enqueue ensure enter erase escape estimate evaluate evict exclude execute expand
    expire explain export extract fail fetch fill filter finalize find finish fit flatten flush fold
    forget format freeze freshen generate get grant group guard handle has hash hide identify ignore
    import include increment index infer init initialize insert inspect install interrupt invalidate
    invite invoke is issue iter join keep kill launch lease limit link list load lock log look make
    map mark mask match measure merge migrate mint monitor move multiply must normalize notify
    observe offer open order pack package pad parse partition pause pick plan play plot poll pop
    post prepare present preview print process project promote prune publish pull purge push put
    quantize query queue quote raise rank read rebuild receive recommend record recover redact
    redirect reduce refit refresh refuse register reindex reject relay release reload remember
    remove rename render reorder repeat replace replay report request require rerank reseal reset
    resize resolve respond restart restore restrict resume retire retry return reveal reverse revoke
    rewrap rewrite roll rotate round run sample save scale scan schedule score scrub seal search
    seed select send serialize serve set shift shorten show shred shrink shuffle sign simulate skip
    sleep slice smooth solve sort spawn split stack standardize start state step stop store stream
    strip submit subtract suggest sum summarize suppress suspend swap switch sync synchronize take
    terminate test time to toggle tokenize touch track train transfer transform translate trim
    truncate try tune undo unlock unpack unregister unwrap update upgrade upload upsert use validate
    verify visit wait walk warm warn watch weigh withdraw wrap write yield zip
    """.split()  # noqa: SIM905 - as a list it would take two hundred lines
)

# A function named by one of these alone does not say what it does.
EMPTY_FUNCTION_NAMES = frozenset(
    """
    about after again also and any around at before behind beside between both by can could each
    every for from he her here him his how in into it its may me mine must of off on one or other
    others our ours out over own per same she should some such than that the their theirs them then
    there these they this those to under until up we what where which while who why will with within
    without would you your
    """.split()  # noqa: SIM905 - as a list it would take two hundred lines
)
# A variable, parameter or class named by one of these alone does not say what it holds.
EMPTY_VARIABLE_NAMES = frozenset(
    """
    about again answers asked asks bar dearest every fault figures finding first found given heard
    hears here kept known knows last late least left look looks made marks meant met mine moment
    moments most much one others ours own place places praise rest said says share shut spoken
    stated sure taken telling tells theirs there told until verdict voice voices wanted whole worth
    """.split()  # noqa: SIM905 - as a list it would take two hundred lines
)
# Irregular participles; regular ones are found by their ending.
PARTICIPLES = frozenset(
    """
    drawn given grown held hidden kept known learnt lost made met seen sent shown spent spoken
    stolen sworn taken told written
    """.split()  # noqa: SIM905 - as a list it would take two hundred lines
)
# Words that end like a participle and are none.
NO_PARTICIPLES = frozenset(
    """
    bed embed exceed feed forbidden keyed need open queued red seed shed shred speed succeed ten
    token when
    """.split()  # noqa: SIM905 - as a list it would take two hundred lines
)
