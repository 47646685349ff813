# Reference values for sbwork.score.weights. Run from the folder that holds this file: Rscript weights.R.
# Packages: survey, jsonlite.
suppressPackageStartupMessages({library(survey); library(jsonlite)})

# Made from a fixed rule, so that the tests can make the same data.
i <- 1:240
frame <- data.frame(
  age = c("young", "middle", "old")[1 + ((i * i + 3 * i) %% 7) %% 3],
  sex = c("f", "m")[1 + ((i * 5 + i %/% 9) %% 11 > 6)],
  tenure = c("owns", "rents")[1 + ((i * 7) %% 5 > 2)],
  y = 1 + ((3 * i * i + 5 * i) %% 29) / 7, base = 0.5 + ((i * 13) %% 17) / 10
)
frame$y <- frame$y + (frame$age == "old") + 0.5 * (frame$sex == "m")
frame$gap <- ifelse(i %% 6 == 0, NA, frame$y)
margins <- list(~age, ~sex, ~tenure)
population <- list(
  data.frame(age = c("young", "middle", "old"), Freq = c(300, 450, 250)),
  data.frame(sex = c("f", "m"), Freq = c(510, 490)),
  data.frame(tenure = c("owns", "rents"), Freq = c(640, 360))
)
totals <- c(`(Intercept)` = 1000, agemiddle = 450, ageold = 250, sexm = 490, tenurerents = 360)
frame$age <- factor(frame$age, levels = c("young", "middle", "old"))

summarise <- function(design) {
  mean <- svymean(~y, design); gap <- svymean(~gap, design, na.rm = TRUE)
  w <- weights(design)
  list(weights = unname(w / mean(w)), mean = coef(mean)[[1]], se = SE(mean)[[1]],
       gap_mean = coef(gap)[[1]], gap_se = SE(gap)[[1]])
}

equal <- svydesign(~1, weights = ~one, data = transform(frame, one = 1))
given <- svydesign(~1, weights = ~base, data = frame)
tight <- list(maxit = 500, epsilon = 1e-13)
calibrated <- calibrate(given, ~ age + sex + tenure, totals, calfun = "raking",
                        epsilon = 1e-13, maxit = 500)
result <- list(
  plain = { m <- svymean(~y, given); list(mean = coef(m)[[1]], se = SE(m)[[1]]) },
  raked = summarise(rake(equal, margins, population, control = tight)),
  raked_given = summarise(rake(given, margins, population, control = tight)),
  calibrated = summarise(calibrated),
  versions = list(R = as.character(getRversion()), survey = as.character(packageVersion("survey")))
)
write_json(result, "weights.json", digits = NA, auto_unbox = TRUE, pretty = TRUE)
