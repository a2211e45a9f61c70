"""The rooms of the simulated client, in the order in which they are built on one another.

`company` (settings, planted truth), `calendar` (months and working moments), `frames` (codes to canonical tables),
`roster` (desks, people, teams), `causes` (how often everything happens: the truth lies here and nowhere else), `deals`
(opportunities and accounts), `revenue` (contracts and money), `diary` (activities and leads), `feedback` (surveys and
learning), `targets`. Inside, a person works at a *desk*: when one leaves, the next takes over the desk's customers.
"""
