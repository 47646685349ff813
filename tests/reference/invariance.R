# Reference values for tests/compare/test_invariance.py, by lavaan.
# Run from this folder: Rscript invariance.R > invariance.json
# The schools stand for two sites, odd and even rows for two waves; of the linked case, x1 to x3
# stand for the first wave and x4 to x6 for the second.
suppressMessages(library(lavaan))
suppressMessages(library(jsonlite))

d <- read.csv("holzinger_swineford_1939.csv")
d$wave <- seq_len(nrow(d)) %% 2
d <- d[order(d$school != "Pasteur", -d$wave), ]
d$group <- paste(d$school, d$wave)
measures <- c("chisq", "df", "pvalue", "cfi", "rmsea", "rmsea.ci.lower", "rmsea.ci.upper", "srmr")

steps <- function(model, equal, data) {
  lapply(equal, function(which) {
    fit <- cfa(model, data, group = "group", group.equal = which, missing = "fiml", meanstructure = TRUE)
    as.list(fitMeasures(fit, measures))
  })
}

ladder <- list(configural = "none", metric = "loadings", scalar = c("loadings", "intercepts"))

# Made up: answers from 1 to 5 of two sites in two waves; the third question is answered .7 lower
# by the same people in the first site's second wave.
set.seed(20180601)
made <- do.call(rbind, lapply(c("a before", "a after", "c before", "c after"), function(cell) {
  f <- rnorm(150, if (cell == "a after") 0.4 else 0)
  answers <- sapply(c(0.9, 1, 0.8, 1.1), function(l) 3 + l * f + rnorm(150, 0, 0.7))
  if (cell == "a after") answers[, 3] <- answers[, 3] - 0.7
  data.frame(group = cell, pmin(pmax(round(answers), 1), 5))
}))
names(made) <- c("group", paste0("q", 1:4))
made$q2[seq(1, 600, 17)] <- NA
write.csv(made, "invariance.csv", row.names = FALSE, quote = FALSE, na = "")

did <- function(items, freed, d) {
  k <- length(items)
  lines <- c(
    paste0("f =~ NA*", items[1], " + ", paste0("l", seq_len(k), "*", items, collapse = " + ")),
    "f ~~ c(1, NA, NA, NA)*f",
    "f ~ c(0, NA, NA, NA)*1 + c(m1, m2, m3, m4)*1",
    ifelse(items %in% freed, paste0(items, " ~ 1"), paste0(items, " ~ i", seq_len(k), "*1")),
    paste0("did := (", paste0("l", seq_len(k), collapse = " + "), ") / ", k, " * ((m2 - 0) - (m4 - m3))")
  )
  fit <- cfa(paste(lines, collapse = "\n"), d, group = "group", missing = "fiml")
  row <- subset(parameterEstimates(fit), lhs == "did")
  c(as.list(fitMeasures(fit, measures)), est = row$est, se = row$se, p = row$pvalue)
}

linked_model <- "
  f0 =~ x1 + x2 + x3
  f1 =~ x4 + x5 + x6
  x1 ~~ x4
  x2 ~~ x5
  x3 ~~ x6
"
linked <- function(equal_loadings, equal_intercepts) {
  lines <- c(
    "f0 =~ NA*x1 + l1*x1 + l2*x2 + l3*x3", "f1 =~ NA*x4 + l1*x4 + l2*x5 + l3*x6",
    "f0 ~~ c(1, NA)*f0", "f1 ~~ f1",
    if (equal_intercepts) c(
      "f0 ~ c(0, NA)*1 + c(m1, m3)*1", "f1 ~ c(m2, m4)*1",
      "x1 ~ i1*1", "x4 ~ i1*1", "x2 ~ i2*1", "x5 ~ i2*1", "x3 ~ i3*1", "x6 ~ i3*1",
      "did := (l1 + l2 + l3) / 3 * ((m2 - 0) - (m4 - m3))"
    ) else c("f0 ~ 0*1", "f1 ~ 0*1"),
    "x1 ~~ x4", "x2 ~~ x5", "x3 ~~ x6"
  )
  fit <- cfa(paste(lines, collapse = "\n"), d, group = "school", missing = "fiml")
  found <- as.list(fitMeasures(fit, measures))
  if (equal_intercepts) found$did <- as.list(subset(parameterEstimates(fit), lhs == "did")[c("est", "se")])
  found
}
d$school <- factor(d$school, c("Pasteur", "Grant-White"))

cat(toJSON(list(
  versions = list(R = R.version.string, lavaan = as.character(packageVersion("lavaan"))),
  visual = steps("f =~ x1 + x2 + x3", ladder, d),
  four = steps("f =~ x1 + x2 + x3 + x4", ladder, d),
  made = steps("f =~ q1 + q2 + q3 + q4", ladder, made),
  textual = did(c("x4", "x5", "x6"), character(), d),
  made_partial = did(paste0("q", 1:4), "q3", made),
  linked_metric = linked(TRUE, FALSE),
  linked_scalar = linked(TRUE, TRUE)
), auto_unbox = TRUE, digits = 10, pretty = TRUE))
