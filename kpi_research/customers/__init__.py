"""What customers are worth: whether they stay, buy again and renew, what may be expected of them, and what they say.

Two settings are told apart throughout, since a lost customer looks different in each (Fader & Hardie 2009):

- *contractual*: contracts that end on a day (`ends_on`). A customer is lost when none was renewed around the end.
- *noncontractual*: everything else. Nobody says goodbye; a customer counts as lost after so long without an order.

`purchases` and `terms` are queries over the canonical tables, on any engine; `facts` keeps their small results. From
there on everything is a function from DataFrames to DataFrames: `rates` (renewal, repurchase), `retention` (cohorts
and curves, with `survival`'s Kaplan-Meier), `orders` (with the models `bgnbd` and `gamma_gamma`) and `renewals` for
what may be expected in each setting, `clv` for both together, `calibration` (the same forecast made earlier, held
against what came), `survey` and `referral`. `overview` puts together what a page shows.
"""
