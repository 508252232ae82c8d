"""The published data sets in miniature, in their own formats."""

from __future__ import annotations

import gzip
from pathlib import Path

import polars as pl

ASSESSMENTS = """"code_module","code_presentation","id_assessment","assessment_type","date","weight"
"AAA","2013J","11","TMA","19","10"
"AAA","2013J","12","TMA","54","90"
"AAA","2013J","13","Exam","","100"
"""
COURSES = "code_module,code_presentation,module_presentation_length\nAAA,2013J,268\n"
STUDENTS = """code_module,code_presentation,id_student,gender,region,highest_education,imd_band,age_band,\
num_of_prev_attempts,studied_credits,disability,final_result
AAA,2013J,7,F,Wales,A Level or Equivalent,0-10%,0-35,0,60,Y,Pass
AAA,2013J,8,M,Wales,HE Qualification,,35-55,1,60,N,Withdrawn
"""
SUBMISSIONS = (
    "id_assessment,id_student,date_submitted,is_banked,score\n11,7,18,0,78\n12,7,-1,1,60\n12,8,50,0,40\n"
)

BANK_HEAD = (
    "age;job;marital;education;default;housing;loan;contact;month;day_of_week;duration;campaign;pdays;previous;"
    "poutcome;emp.var.rate;cons.price.idx;cons.conf.idx;euribor3m;nr.employed;y\n"
)
BANK_ROW = (
    "{age};retired;married;university.degree;no;yes;no;cellular;may;{day};261;1;999;0;nonexistent;1.1;93.9;-36.4;"
    "4.857;5191.5;{y}\n"
)
DRUG_HEAD = "\turlDrugName\trating\teffectiveness\tsideEffects\tcondition\tbenefitsReview\tsideEffectsReview\tcommentsReview\n"
DRUG_ROW = (
    '{n}\t{drug}\t8\tHighly Effective\tMild Side Effects\t{condition}\t"It helped."\tdry mouth\tdaily\n'
)


def write_education(folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "assessments.csv").write_text(ASSESSMENTS)
    (folder / "courses.csv").write_text(COURSES)
    _write_gzip(folder / "studentInfo.csv.gz", STUDENTS)
    _write_gzip(folder / "studentAssessment.csv.gz", SUBMISSIONS)


def write_bank(folder: Path) -> None:
    folder.mkdir(parents=True)
    rows = [
        BANK_ROW.format(
            age=20 + n, day=("mon", "tue", "wed", "thu", "fri")[n // 6], y="yes" if n % 3 == 0 else "no"
        )
        for n in range(30)
    ]
    _write_gzip(folder / "bank-additional-full.csv.gz", BANK_HEAD + "".join(rows))


def write_drugs(folder: Path) -> None:
    folder.mkdir(parents=True)
    reviews = [
        ("skinaid", "acne"),
        ("skinaid", "adult acne"),
        ("calmol", "anxiety"),
        ("heartol", "high blood pressure"),
    ]
    rows = [
        DRUG_ROW.format(n=n, drug=drug, condition=condition) for n, (drug, condition) in enumerate(reviews)
    ]
    _write_gzip(folder / "drugLib_all_4143.tsv.gz", DRUG_HEAD + "".join(rows))


def write_clothing(folder: Path) -> None:
    folder.mkdir(parents=True)
    count = 12
    pl.DataFrame(
        {
            "Clothing ID": [n % 4 for n in range(count)],
            "Age": [25 + n for n in range(count)],
            "Title": ["Lovely", *[None] * (count - 1)],
            "Review Text": [f"A soft lace dress, number {n}" for n in range(count - 1)] + [None],
            "Rating": [5] * count,
            "Recommended IND": [1] * count,
            "Positive Feedback Count": [0] * count,
            "Division Name": ["General"] * count,
            "Department Name": ["Dresses"] * 6 + ["Tops"] * 6,
            "Class Name": ["Dresses"] * 6 + ["Knits"] * 6,
        }
    ).write_parquet(folder / "WomensClothingE-CommerceReviews.parquet.brotli", compression="brotli")


def write_ads(folder: Path) -> None:
    folder.mkdir(parents=True)
    head = ",timestamp,item_id,position,click,propensity_score,user_feature_0,user_feature_1,user_feature_2,user_feature_3\n"
    rows = [
        f"{n},2019-11-24 00:00:{n:02d}.004101+00:00,{n % 2},1,{int(n == 3)},0.5,a{n % 2},b,c,d\n"
        for n in range(6)
    ]
    context = ",item_id,item_feature_0,item_feature_1,item_feature_2,item_feature_3\n0,0,-0.5,x,y,z\n1,1,0.25,w,y,z\n"
    for campaign in ("all", "men", "women"):
        for policy in ("bts", "random"):
            _write_gzip(folder / f"{policy}_{campaign}_{campaign}.csv.gz", head + "".join(rows))
            _write_gzip(folder / f"{policy}_{campaign}_item_context.csv.gz", context)


def _write_gzip(path: Path, text: str) -> None:
    path.write_bytes(gzip.compress(text.encode()))
