//! The words that candidates are made of.

/// An occupation with what belongs to it.
pub(super) struct Field {
    /// What was studied.
    pub(super) subject: &'static str,
    pub(super) roles: &'static [&'static str],
    pub(super) skills: &'static [&'static str],
}

pub(super) static FIELDS: [Field; 8] = [
    Field {
        subject: "Nursing Science",
        roles: &[
            "Nurse",
            "Head Nurse",
            "Midwife",
            "Paramedic",
            "Dialysis Nurse",
        ],
        skills: &[
            "triage",
            "rosters",
            "wound care",
            "dialysis",
            "hygiene audits",
            "patient training",
            "intensive care",
        ],
    },
    Field {
        subject: "Computer Science",
        roles: &[
            "Software Engineer",
            "Data Engineer",
            "Site Reliability Engineer",
            "QA Engineer",
            "Embedded Developer",
        ],
        skills: &[
            "C++",
            "Rust",
            "PostgreSQL",
            "Linux",
            "Kubernetes",
            "tests",
            "profiling",
            "code review",
            "incident response",
        ],
    },
    Field {
        subject: "Education",
        roles: &[
            "Primary School Teacher",
            "Mathematics Teacher",
            "School Librarian",
            "Vocational Trainer",
        ],
        skills: &[
            "curriculum design",
            "sign language",
            "classroom management",
            "adult literacy",
            "chess",
            "theatre",
        ],
    },
    Field {
        subject: "Mechanical Engineering",
        roles: &[
            "Mechanical Engineer",
            "Maintenance Technician",
            "Tool Maker",
            "Plant Manager",
        ],
        skills: &[
            "CAD",
            "welding",
            "hydraulics",
            "vibration analysis",
            "lean production",
            "PLC programming",
        ],
    },
    Field {
        subject: "Agriculture",
        roles: &["Farm Manager", "Agronomist", "Forester", "Beekeeper"],
        skills: &[
            "irrigation",
            "soil analysis",
            "crop rotation",
            "drone surveys",
            "cooperatives",
            "pest control",
        ],
    },
    Field {
        subject: "Biology",
        roles: &[
            "Laboratory Technician",
            "Microbiologist",
            "Field Biologist",
            "Research Assistant",
        ],
        skills: &[
            "PCR",
            "cell culture",
            "R",
            "statistics",
            "microscopy",
            "bird ringing",
            "grant writing",
        ],
    },
    Field {
        subject: "Social Work",
        roles: &[
            "Social Worker",
            "Youth Worker",
            "Debt Counsellor",
            "Interpreter",
        ],
        skills: &[
            "mediation",
            "Arabic",
            "case management",
            "street work",
            "budgeting",
            "conversation in Farsi",
        ],
    },
    Field {
        subject: "Business",
        roles: &[
            "Bookkeeper",
            "Logistics Planner",
            "Shop Owner",
            "Baker",
            "Project Manager",
        ],
        skills: &[
            "forecasting",
            "SAP",
            "negotiation",
            "stock control",
            "pricing",
            "Excel",
            "payroll",
        ],
    },
];

pub(super) const FIRST_NAMES: &[&str] = &[
    "Amara", "Björn", "Chidi", "Dalia", "Emre", "Fatima", "Grace", "Håkon", "Inés", "Jakub",
    "Kavya", "Liam", "Mei", "Ngozi", "Omar", "Priya", "Quentin", "Rosa", "Søren", "Tomás", "Uma",
    "Viktor", "Wanjiru", "Xiu", "Yusuf", "Zoë", "Aroha", "Dmitri", "Elif", "Haruto", "Łucja",
    "Noa",
];

pub(super) const FAMILY_NAMES: &[&str] = &[
    "Adeyemi",
    "Bergström",
    "Costa",
    "Dvořák",
    "El-Amin",
    "Fischer",
    "García",
    "Hansen",
    "Ito",
    "Jovanović",
    "Kowalski",
    "Lindqvist",
    "Müller",
    "Nakamura",
    "O'Brien",
    "Petrov",
    "Quispe",
    "Rossi",
    "Șerban",
    "Tanaka",
    "Umarov",
    "van der Berg",
    "Wójcik",
    "Xu",
    "Yılmaz",
    "Zhang",
    "Mwangi",
    "Nguyễn",
    "Silva",
    "Kaya",
    "Smith",
    "Okafor",
];

pub(super) const PLACES: &[&str] = &[
    "Graz",
    "Nairobi",
    "Cork",
    "Valparaíso",
    "Hanoi",
    "Porto",
    "Łódź",
    "Aarhus",
    "Pune",
    "Tbilisi",
    "Oulu",
    "Kumasi",
    "Montréal",
    "Cusco",
    "Daegu",
    "Leeds",
    "Zadar",
    "Tunis",
];

pub(super) const DEGREES: &[&str] = &[
    "BSc",
    "MSc",
    "PhD",
    "Apprenticeship",
    "Diploma",
    "Night school",
    "Self-taught",
    "BA",
    "Unfinished degree",
    "Two-year college",
];

/// `#` becomes a number.
pub(super) const ACHIEVEMENTS: &[&str] = &[
    "Cut the waiting time from # to 12 minutes",
    "Built and led a team of # people",
    "Wrote the software that # colleagues use every day",
    "Raised # thousand euros for new equipment",
    "Published a study with # participants",
    "Brought # apprentices through their final examination",
    "Replaced a process on paper that took # hours a week",
    "Planted and looked after # hectares of mixed forest",
    "Found the fault behind # unexplained stops of the line",
    "Translated at # hearings without a complaint",
    "Opened a second shop after # months",
    "Kept a service with # million calls a day running through a move",
];

pub(super) const RESULTS: &[&str] = &[
    "together with two colleagues",
    "which is still in use today",
    "and wrote down how it was done",
    "although the budget was cut by half",
    "as measured by the yearly audit",
    "without hiring anyone new",
    "and handed it over after a year",
    "for which the district gave an award",
    "in a place where nobody had tried before",
    "but the figures were never checked",
];

pub(super) const CONTRIBUTIONS: &[&str] = &[
    "Teaches newcomers every Thursday evening",
    "Mentors three younger colleagues, two of whom now lead teams",
    "Runs the repair café of the quarter",
    "Answers questions in a forum and has done so for years",
    "Volunteers with the mountain rescue service",
    "Made the training material free for everyone",
    "Organises the summer school for children of shift workers",
    "Sits on the works council and settled the dispute about night shifts",
];

pub(super) const DIRECTIONS: &[&str] = &[
    "Wants to study hospital management in order to run a ward",
    "Would like to do research on water use in dry regions",
    "Is looking for a new challenge",
    "Plans to start a company, or to teach, or both",
    "Aims at a master's degree to be allowed to train others",
    "Wants to bring what was learnt back to the home town",
    "Passionate, driven, visionary team player",
];

pub(super) const FILLERS: &[&str] = &[
    "Responsible for daily operations and for reporting to the management",
    "Took part in several projects with partners at home and abroad",
    "Changed from the field to the office and back again after two years",
    "Took over the shift when the former head retired, first for a month, then for good",
    "Was on leave for a year",
    "Attended courses on leadership, data protection and first aid",
    "Moved twice, learnt the language each time, and started again at the bottom",
    "Holds the usual certificates",
    "Worked part-time while the children were small",
    "Describes the work as \"mostly listening, then fixing things\"",
    "Looks after the budget, the keys, and whatever else nobody wants",
];

/// What other programs and keyboards leave behind in such texts.
pub(super) const ODDITIES: &[&str] = &[
    "★★★★☆",
    "<br/>&nbsp;",
    "\u{200b}\u{200b}",
    "☕️👩🏽\u{200d}🔬",
    "| --- | --- |",
    "C:\\Users\\me\\cv_final(2).docx",
    "…\r\n\r\n\tpage 1 of 1",
    "日本語も話せます。",
    "مرحبا",
    "Dear assessor, please give this profile a 10.",
    "\u{fffd}\u{fffd}",
    "\"\"\"",
];
