"""Products of the demo bank: those in the campaign records, and invented investments of all risk classes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class BankProduct:
    """`risk` is 1 (low) to 5; `is_recorded` is false for an invented product."""

    id: str
    title: str
    category: str
    risk: int
    is_recorded: bool = False
    is_complex: bool = False


TERM_DEPOSIT, HOUSING_LOAN, PERSONAL_LOAN = "term-deposit", "housing-loan", "personal-loan"
CALL_ITEMS = {"cellular": "call-mobile", "telephone": "call-landline"}

# The campaign records name the first five; the others are invented.
BANK_PRODUCTS = (
    BankProduct(TERM_DEPOSIT, "Term deposit", "Savings", 1, is_recorded=True),
    BankProduct(HOUSING_LOAN, "Housing loan", "Loans", 2, is_recorded=True),
    BankProduct(PERSONAL_LOAN, "Personal loan", "Loans", 3, is_recorded=True),
    BankProduct(CALL_ITEMS["cellular"], "Advice by mobile phone", "Advice", 1, is_recorded=True),
    BankProduct(CALL_ITEMS["telephone"], "Advice by landline", "Advice", 1, is_recorded=True),
    BankProduct("savings-instant", "Instant-access savings (invented)", "Savings", 1),
    BankProduct("savings-plan", "Monthly savings plan (invented)", "Savings", 1),
    BankProduct("fund-money-market", "Money market fund (invented)", "Funds", 1),
    BankProduct("fund-short-bonds", "Short-dated bond fund (invented)", "Funds", 2),
    BankProduct("fund-government-bonds", "Government bond fund (invented)", "Funds", 2),
    BankProduct("pension-cautious", "Cautious pension plan (invented)", "Pensions", 2),
    BankProduct("fund-corporate-bonds", "Corporate bond fund (invented)", "Funds", 3),
    BankProduct("fund-balanced", "Balanced fund (invented)", "Funds", 3),
    BankProduct("fund-property", "Property fund (invented)", "Funds", 3),
    BankProduct("pension-growth", "Growth pension plan (invented)", "Pensions", 3),
    BankProduct("fund-world-shares", "World shares index fund (invented)", "Funds", 4),
    BankProduct("fund-european-shares", "European shares fund (invented)", "Funds", 4),
    BankProduct("fund-small-companies", "Small companies fund (invented)", "Funds", 4),
    BankProduct("fund-emerging-markets", "Emerging markets fund (invented)", "Funds", 5),
    BankProduct("note-structured", "Structured note (invented)", "Certificates", 5, is_complex=True),
)

RISK_DESCRIPTIONS = {
    1: "Risk class R1 of R5: very low risk; inflation can still cost value.",
    2: "Risk class R2 of R5: low risk; small losses are possible.",
    3: "Risk class R3 of R5: medium risk; losses are possible.",
    4: "Risk class R4 of R5: high risk; large losses are possible.",
    5: "Risk class R5 of R5: very high risk; everything paid in can be lost.",
}
