/*
 * The SIMD instructions by name, for the tables that opcodes_sse.def's rows
 * index. A name is the host's mnemonic too: its handlers execute it.
 *
 *   DO(name, bytes of the memory operand)
 *
 * A memory operand of 16 bytes must be aligned (#GP(0)), but for the few in
 * SSE_UNALIGNED_LIST.
 */
#ifndef EMU_X86_SSE_LIST_H
#define EMU_X86_SSE_LIST_H

/* xmm <- xmm op xmm/m; can raise SIMD floating-point exceptions. */
#define SSE_FP_LIST(DO)                                                        \
    DO(ADDPS, 16) DO(ADDPD, 16) DO(ADDSS, 4) DO(ADDSD, 8)                      \
    DO(MULPS, 16) DO(MULPD, 16) DO(MULSS, 4) DO(MULSD, 8)                      \
    DO(SUBPS, 16) DO(SUBPD, 16) DO(SUBSS, 4) DO(SUBSD, 8)                      \
    DO(DIVPS, 16) DO(DIVPD, 16) DO(DIVSS, 4) DO(DIVSD, 8)                      \
    DO(MINPS, 16) DO(MINPD, 16) DO(MINSS, 4) DO(MINSD, 8)                      \
    DO(MAXPS, 16) DO(MAXPD, 16) DO(MAXSS, 4) DO(MAXSD, 8)                      \
    DO(SQRTPS, 16) DO(SQRTPD, 16) DO(SQRTSS, 4) DO(SQRTSD, 8)                  \
    DO(RCPPS, 16) DO(RCPSS, 4) DO(RSQRTPS, 16) DO(RSQRTSS, 4)                  \
    DO(CVTPS2PD, 8) DO(CVTPD2PS, 16) DO(CVTSS2SD, 4) DO(CVTSD2SS, 8)           \
    DO(CVTDQ2PS, 16) DO(CVTPS2DQ, 16) DO(CVTTPS2DQ, 16)                        \
    DO(CVTPD2DQ, 16) DO(CVTTPD2DQ, 16) DO(CVTDQ2PD, 8)                         \
    DO(ADDSUBPS, 16) DO(ADDSUBPD, 16) DO(HADDPS, 16) DO(HADDPD, 16)            \
    DO(HSUBPS, 16) DO(HSUBPD, 16)
/* The same with an immediate. */
#define SSE_FP_IMM_LIST(DO)                                                    \
    DO(CMPPS, 16) DO(CMPPD, 16) DO(CMPSS, 4) DO(CMPSD, 8)                      \
    DO(ROUNDPS, 16) DO(ROUNDPD, 16) DO(ROUNDSS, 4) DO(ROUNDSD, 8)              \
    DO(DPPS, 16) DO(DPPD, 16)

/* xmm <- xmm op xmm/m without exceptions, by the host's instruction... */
#define SSE_INT_LIST(DO)                                                       \
    DO(ANDPS, 16) DO(ANDNPS, 16) DO(ORPS, 16) DO(XORPS, 16)                    \
    DO(UNPCKLPS, 16) DO(UNPCKHPS, 16) DO(UNPCKLPD, 16) DO(UNPCKHPD, 16)        \
    DO(MOVSLDUP, 16) DO(MOVSHDUP, 16) DO(MOVDDUP, 8)                           \
    DO(PMULDQ, 16) DO(PCMPEQQ, 16) DO(PACKUSDW, 16) DO(PCMPGTQ, 16)            \
    DO(PMINSB, 16) DO(PMINSD, 16) DO(PMINUW, 16) DO(PMINUD, 16)                \
    DO(PMAXSB, 16) DO(PMAXSD, 16) DO(PMAXUW, 16) DO(PMAXUD, 16)                \
    DO(PMULLD, 16) DO(PHMINPOSUW, 16) DO(PUNPCKLQDQ, 16) DO(PUNPCKHQDQ, 16)    \
    DO(PMOVSXBW, 8) DO(PMOVSXBD, 4) DO(PMOVSXBQ, 2) DO(PMOVSXWD, 8)            \
    DO(PMOVSXWQ, 4) DO(PMOVSXDQ, 8) DO(PMOVZXBW, 8) DO(PMOVZXBD, 4)            \
    DO(PMOVZXBQ, 2) DO(PMOVZXWD, 8) DO(PMOVZXWQ, 4) DO(PMOVZXDQ, 8)            \
    MMX_AND_SSE_LIST(DO, 16, 16)
/* ... and by C that says the same. */
#define SSE_C_LIST(DO)                                                         \
    DO(MOVAPS, 16) DO(LOAD8, 8) DO(LOAD4, 4) DO(MERGE8, 8) DO(MERGE4, 4)       \
    DO(MOVHLPS, 8) DO(MOVLHPS, 8) DO(PBLENDVB, 16) DO(BLENDVPS, 16)            \
    DO(BLENDVPD, 16) DO(PSHUFD, 16) DO(PSHUFLW, 16) DO(PSHUFHW, 16)            \
    DO(SHUFPS, 16) DO(SHUFPD, 16) DO(PALIGNR, 16) DO(BLENDPS, 16)              \
    DO(BLENDPD, 16) DO(PBLENDW, 16) DO(MPSADBW, 16) DO(INSERTPS, 4)
#define SSE_UNALIGNED_LIST(DO) DO(MOVUPS, 16)

/* What both register files have: the memory operand's size is FULL bytes, or
 * for mm the LOW half. */
#define MMX_AND_SSE_LIST(DO, FULL, LOW)                                        \
    DO(PUNPCKLBW, LOW) DO(PUNPCKLWD, LOW) DO(PUNPCKLDQ, LOW)                   \
    DO(PUNPCKHBW, FULL) DO(PUNPCKHWD, FULL) DO(PUNPCKHDQ, FULL)                \
    DO(PACKSSWB, FULL) DO(PACKUSWB, FULL) DO(PACKSSDW, FULL)                   \
    DO(PCMPGTB, FULL) DO(PCMPGTW, FULL) DO(PCMPGTD, FULL)                      \
    DO(PCMPEQB, FULL) DO(PCMPEQW, FULL) DO(PCMPEQD, FULL)                      \
    DO(PSRLW, FULL) DO(PSRLD, FULL) DO(PSRLQ, FULL) DO(PSRAW, FULL)            \
    DO(PSRAD, FULL) DO(PSLLW, FULL) DO(PSLLD, FULL) DO(PSLLQ, FULL)            \
    DO(PADDB, FULL) DO(PADDW, FULL) DO(PADDD, FULL) DO(PADDQ, FULL)            \
    DO(PSUBB, FULL) DO(PSUBW, FULL) DO(PSUBD, FULL) DO(PSUBQ, FULL)            \
    DO(PADDSB, FULL) DO(PADDSW, FULL) DO(PADDUSB, FULL) DO(PADDUSW, FULL)      \
    DO(PSUBSB, FULL) DO(PSUBSW, FULL) DO(PSUBUSB, FULL) DO(PSUBUSW, FULL)      \
    DO(PMULLW, FULL) DO(PMULHW, FULL) DO(PMULHUW, FULL) DO(PMULUDQ, FULL)      \
    DO(PMADDWD, FULL) DO(PSADBW, FULL) DO(PAVGB, FULL) DO(PAVGW, FULL)         \
    DO(PMINUB, FULL) DO(PMAXUB, FULL) DO(PMINSW, FULL) DO(PMAXSW, FULL)        \
    DO(PAND, FULL) DO(PANDN, FULL) DO(POR, FULL) DO(PXOR, FULL)                \
    DO(PSHUFB, FULL) DO(PHADDW, FULL) DO(PHADDD, FULL) DO(PHADDSW, FULL)       \
    DO(PMADDUBSW, FULL) DO(PHSUBW, FULL) DO(PHSUBD, FULL) DO(PHSUBSW, FULL)    \
    DO(PSIGNB, FULL) DO(PSIGNW, FULL) DO(PSIGND, FULL) DO(PMULHRSW, FULL)      \
    DO(PABSB, FULL) DO(PABSW, FULL) DO(PABSD, FULL)
#define MMX_LIST(DO) MMX_AND_SSE_LIST(DO, 8, 4)

/* Shifts by an immediate: xmm only, then mm and xmm. */
#define SSE_SHIFT_LIST(DO) DO(PSRLDQ) DO(PSLLDQ)
#define MMX_SHIFT_LIST(DO)                                                     \
    DO(PSRLW) DO(PSRAW) DO(PSLLW) DO(PSRLD) DO(PSRAD) DO(PSLLD) DO(PSRLQ)      \
    DO(PSLLQ)

/* Stores, by what of the register they take. */
#define SSE_STORE_LIST(DO)                                                     \
    DO(ALIGNED16, 16) DO(ANY16, 16) DO(LOW8, 8) DO(HIGH8, 8) DO(LOW4, 4)

#define SSE_LIST_ENUM(NAME, ...) SSE_##NAME,
#define SSE_STORE_ENUM(NAME, ...) SSE_STORE_##NAME,
#define SSE_SHIFT_ENUM(NAME) SSE_SHIFT_##NAME,
#define MMX_LIST_ENUM(NAME, ...) MMX_##NAME,
enum sse_fp { SSE_FP_LIST(SSE_LIST_ENUM) SSE_FP_IMM_LIST(SSE_LIST_ENUM)
              SSE_FP_COUNT };
enum sse_int { SSE_INT_LIST(SSE_LIST_ENUM) SSE_C_LIST(SSE_LIST_ENUM)
               SSE_UNALIGNED_LIST(SSE_LIST_ENUM) SSE_INT_COUNT };
enum sse_store { SSE_STORE_LIST(SSE_STORE_ENUM) SSE_STORE_COUNT };
enum sse_shift { MMX_SHIFT_LIST(SSE_SHIFT_ENUM) SSE_SHIFT_LIST(SSE_SHIFT_ENUM)
                 SSE_SHIFT_COUNT };
enum mmx { MMX_LIST(MMX_LIST_ENUM) MMX_COUNT };
#undef SSE_LIST_ENUM
#undef SSE_STORE_ENUM
#undef SSE_SHIFT_ENUM
#undef MMX_LIST_ENUM

/* xmm or memory to general register, and back; COMISx. */
enum sse_convert {
    SSE_CVTSS2SI, SSE_CVTTSS2SI, SSE_CVTSD2SI, SSE_CVTTSD2SI, SSE_TO_GPR_COUNT,
};
enum sse_compare {
    SSE_COMISS, SSE_COMISD, SSE_UCOMISS, SSE_UCOMISD, SSE_COMPARE_COUNT,
};
enum sse_from_gpr { SSE_CVTSI2SS, SSE_CVTSI2SD, SSE_FROM_GPR_COUNT };
enum sse_mmx { SSE_CVTPI2PS, SSE_CVTPI2PD, SSE_CVTPS2PI, SSE_CVTTPS2PI,
               SSE_CVTPD2PI, SSE_CVTTPD2PI, SSE_MMX_COUNT };
enum sse_string { SSE_PCMPESTRM, SSE_PCMPESTRI, SSE_PCMPISTRM, SSE_PCMPISTRI };

#endif
