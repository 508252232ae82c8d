"""The bank's shelf: what the campaign records name, and invented investments of all risk classes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Product:
    id: str
    title: str
    category: str
    risk: int
    recorded: bool = False
    complex: bool = False


TERM_DEPOSIT, HOUSING_LOAN, PERSONAL_LOAN = "term-deposit", "housing-loan", "personal-loan"
CALL = {"cellular": "call-mobile", "telephone": "call-landline"}

SHELF = (
    Product(TERM_DEPOSIT, "Term deposit", "Savings", 1, recorded=True),
    Product(HOUSING_LOAN, "Housing loan", "Loans", 2, recorded=True),
    Product(PERSONAL_LOAN, "Personal loan", "Loans", 3, recorded=True),
    Product(CALL["cellular"], "Advice by mobile phone", "Advice", 1, recorded=True),
    Product(CALL["telephone"], "Advice by landline", "Advice", 1, recorded=True),
    Product("savings-instant", "Instant-access savings (invented)", "Savings", 1),
    Product("savings-plan", "Monthly savings plan (invented)", "Savings", 1),
    Product("fund-money-market", "Money market fund (invented)", "Funds", 1),
    Product("fund-short-bonds", "Short-dated bond fund (invented)", "Funds", 2),
    Product("fund-government-bonds", "Government bond fund (invented)", "Funds", 2),
    Product("pension-cautious", "Cautious pension plan (invented)", "Pensions", 2),
    Product("fund-corporate-bonds", "Corporate bond fund (invented)", "Funds", 3),
    Product("fund-balanced", "Balanced fund (invented)", "Funds", 3),
    Product("fund-property", "Property fund (invented)", "Funds", 3),
    Product("pension-growth", "Growth pension plan (invented)", "Pensions", 3),
    Product("fund-world-shares", "World shares index fund (invented)", "Funds", 4),
    Product("fund-european-shares", "European shares fund (invented)", "Funds", 4),
    Product("fund-small-companies", "Small companies fund (invented)", "Funds", 4),
    Product("fund-emerging-markets", "Emerging markets fund (invented)", "Funds", 5),
    Product("note-structured", "Structured note (invented)", "Certificates", 5, complex=True),
)

RISK_TEXT = {
    1: "Risk class R1 of R5: very low risk; inflation can still cost value.",
    2: "Risk class R2 of R5: low risk; small losses are possible.",
    3: "Risk class R3 of R5: medium risk; losses are possible.",
    4: "Risk class R4 of R5: high risk; large losses are possible.",
    5: "Risk class R5 of R5: very high risk; everything paid in can be lost.",
}
